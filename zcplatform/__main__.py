"""`zcplatform`, and `python -m zcplatform`: the command line, and the two programs it becomes."""

import os
import sys

import typer

from zcplatform.cli.global_options import given
from zcplatform.cli.main import HOST, app, main


@app.command(rich_help_panel=HOST)
def serve(context: typer.Context) -> None:
    """Run the platform: the worker, and the web process as its unprivileged child."""
    path = given(context).settings
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
