"""`zcplatform`, and `python -m zcplatform`: the command line, and the two programs it becomes."""

import os
import sys
from typing import Annotated

import typer

from zcplatform.cli.global_options import given
from zcplatform.cli.main import HOST, app, main


@app.command(rich_help_panel=HOST)
def serve(
    context: typer.Context,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Serve the API over tenants in memory: any user, no Docker, temporary data.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, show_default=False, help="With --simulated: loopback port. Default: a free one.")
    ] = 0,
) -> None:
    """Run the platform: the worker, and the web process as its unprivileged child."""
    path = given(context).settings
    if simulated:
        from zcplatform import settings as files
        from zcplatform import simulated as simulation

        raise typer.Exit(simulation.run(files.load(path) if path else None, port))
    # Replaces this process instead of importing: the command line would stay in memory, 5 MB. Isolated (-I), as its child is.
    os.execv(sys.executable, [sys.executable, "-I", "-m", "zcplatform.serve", *([str(path)] if path else [])])  # noqa: S606


@app.command(rich_help_panel=HOST)
def edge(context: typer.Context) -> None:
    """Run the edge: Caddy, as an unprivileged user of its own."""
    from zcplatform import edge as process
    from zcplatform import settings as files

    process.run(files.load(given(context).settings))


if __name__ == "__main__":
    main()
