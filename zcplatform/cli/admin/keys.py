"""zcplatform admin rotate-key: replace the root key while the platform is stopped. Agents keep running."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from zcplatform.cli import output
from zcplatform.cli.admin import host
from zcplatform.cli.context import AsJson


def rotate_key(
    context: typer.Context,
    deep: Annotated[bool, typer.Option("--deep", help="Replace the data keys too, and encrypt every secret again.")] = False,
    to: Annotated[Path | None, typer.Option(help="With key_source = credential: file that the new key is written to.")] = None,
    json: AsJson = False,
) -> None:
    """Create a new root key and wrap every data key with it. Refused while `serve` runs. If it is interrupted, run it again. All users have to sign in again."""
    from zcplatform.worker.rotation import rotate
    from zcplatform.worker.startup import alone

    settings = host.load(context)
    with alone(settings):
        done = rotate(settings, deep=deep, to=to)
    if json:
        output.print_json(asdict(done))
    elif done.finished_earlier:
        output.print_line("finished the rotation that was interrupted")
    else:
        output.print_line(
            f"created a new root key; {done.tenants} data keys are wrapped with it, {done.secrets} secrets were encrypted again"
        )
        if done.unreadable:
            output.print_line(f"{done.unreadable} secrets were unreadable before and were left as they are")
    if to is not None:
        output.print_line(f"Create the systemd credential from {to}, then remove that file.")
