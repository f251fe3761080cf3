"""zcplatform admin teardown: remove everything that the platform put on the host, and change nothing about the desired state.

Paired devices are read back and containers stopped first; the next `serve` finds its rows and creates everything again.
"""

import asyncio
from dataclasses import asdict

import typer

from zcplatform.cli import output
from zcplatform.cli.admin import host
from zcplatform.cli.context import AsJson


def teardown(context: typer.Context, json: AsJson = False) -> None:
    """Remove this installation's containers, networks, mounts and firewall rules. Data and the desired state stay. Refused while `serve` runs."""
    from zcplatform.worker.teardown import take_down

    settings = host.load(context)
    taken = asyncio.run(take_down(settings, host.root_keys(settings)))
    if json:
        output.print_json(asdict(taken))
    else:
        output.print_line(f"removed {taken.containers} containers, {taken.networks} networks, {taken.mounts} mounts and the firewall rules")
