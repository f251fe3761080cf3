"""`zcplatform`, and `python -m zcplatform`: the command line and the two processes. The only place that knows both composition roots."""

import typer

from zcplatform.cli.context import options
from zcplatform.cli.main import SettingsFile, app, main


@app.command()
def serve(context: typer.Context, settings: SettingsFile = None) -> None:
    """Run the platform: the worker and, as its unprivileged child, the web process."""
    from zcplatform import settings as files
    from zcplatform.worker import app as worker

    raise typer.Exit(worker.run(files.load(settings or options(context).settings)))


@app.command()
def edge(context: typer.Context, settings: SettingsFile = None) -> None:
    """Run Caddy as its own unprivileged user."""
    from zcplatform import edge as process
    from zcplatform import settings as files

    process.run(files.load(settings or options(context).settings))


if __name__ == "__main__":
    main()
