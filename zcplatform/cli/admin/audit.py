"""zcplatform admin audit …: the audit log, looked at from the file alone."""

import typer

from zcplatform.cli import output
from zcplatform.cli.admin import host
from zcplatform.cli.context import AsJson
from zcplatform.cli.login import Told

app = typer.Typer(no_args_is_help=True, help="The audit log.")


@app.command()
def verify(context: typer.Context, json: AsJson = False) -> None:
    """Follow the chain from its first entry: finds an edit, a removal, a swap. A cut tail needs the anchors, which are not there yet."""
    from zcplatform.store import audit

    with host.database(host.load(context)) as database:
        found = database.read(audit.verify)
    if isinstance(found, audit.Break):
        raise Told(
            "audit.broken",
            f"The chain breaks at entry {found.sequence}: it or one before it was changed, removed or moved",
            "compare with a backup",
        )
    output.as_json({"entries": found}) if json else output.line(f"the chain of {found} entries is whole")
