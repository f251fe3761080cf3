"""`zcplatform`, and `python -m zcplatform`: the command line, and the two programs it becomes."""

import os
import sys

import typer

from zcplatform.cli.context import options
from zcplatform.cli.main import SettingsFile, app, main


@app.command()
def serve(context: typer.Context, settings: SettingsFile = None) -> None:
    """Run the platform: the worker and, as its unprivileged child, the web process."""
    path = settings or options(context).settings
    # In its place, not from here: it would hold the command line for as long as it lives, 5 MB. Isolated, as its child is.
    os.execv(sys.executable, [sys.executable, "-I", "-m", "zcplatform.serve", *([str(path)] if path else [])])  # noqa: S606


@app.command()
def edge(context: typer.Context, settings: SettingsFile = None) -> None:
    """Run Caddy as its own unprivileged user."""
    from zcplatform import edge as process
    from zcplatform import settings as files

    process.run(files.load(settings or options(context).settings))


if __name__ == "__main__":
    main()
