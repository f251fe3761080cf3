"""zcplatform admin rotate-key: a new root key, while the platform is stopped and its agents go on."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from zcplatform.cli import output
from zcplatform.cli.admin import host
from zcplatform.cli.context import AsJson


def rotate_key(
    context: typer.Context,
    deep: Annotated[bool, typer.Option("--deep", help="New data keys too, and every secret encrypted again.")] = False,
    to: Annotated[Path | None, typer.Option(help="With key_source = credential: the file the new key is written to.")] = None,
    json: AsJson = False,
) -> None:
    """Make a new root key and wrap every data key with it. Refused while serve runs. Killed anywhere, call it again. People sign in again."""
    from zcplatform.worker.app import alone
    from zcplatform.worker.rotation import rotate

    settings = host.load(context)
    with alone(settings):
        done = rotate(settings, deep=deep, to=to)
    if json:
        output.print_json(asdict(done))
    elif done.finished_earlier:
        output.print_line("the rotation that was cut off is finished")
    else:
        output.print_line(f"a new root key; {done.tenants} data keys are wrapped with it, {done.secrets} secrets were encrypted again")
        if done.unreadable:
            output.print_line(f"{done.unreadable} could not be read before either, and were left")
    if to is not None:
        output.print_line(f"make the credential of {to}, then remove that file")
