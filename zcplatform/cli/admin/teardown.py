"""zcplatform admin teardown: takes everything off the host that the platform put there, and changes nothing that is wanted.

Containers are asked to stop, paired devices are kept first; the next `serve` finds its rows and makes it all true again.
"""

import asyncio
from dataclasses import asdict

import typer

from zcplatform.cli import output
from zcplatform.cli.admin import host
from zcplatform.cli.context import AsJson


def teardown(context: typer.Context, json: AsJson = False) -> None:
    """Remove this installation's containers, networks, mounts and firewall rules; data and wishes stay. Refused while serve runs."""
    from zcplatform.worker.teardown import take_down

    settings = host.load(context)
    taken = asyncio.run(take_down(settings, host.root_keys(settings)))
    if json:
        output.print_json(asdict(taken))
    else:
        output.print_line(f"removed {taken.containers} containers, {taken.networks} networks, {taken.mounts} mounts and the firewall rules")
