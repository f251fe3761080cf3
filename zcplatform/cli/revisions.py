"""zcplatform revisions …"""

from typing import Annotated, Any

import typer

from zcplatform import clock
from zcplatform.cli import formats, output, values
from zcplatform.cli.context import AsJson, NoWait, Tenant, open_api, route
from zcplatform.cli.requests import submit

app = typer.Typer(no_args_is_help=True, help="Saved versions of a tenant's settings, and the way back.")
Number = Annotated[int, typer.Argument(help="Number of a revision.", min=1)]


@app.command("list")
def listing(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """List revisions, newest first. `*` marks the one in use."""
    with open_api(context) as api:
        items = api.items(route("tenants", tenant, "revisions"))
    if json:
        output.print_json(items)
        return
    rows = [
        (
            f"{item['number']}{' *' if item['is_current'] else ''}",
            item["outcome"],
            item["author"],
            formats.age(item["created_at"], clock.now()),
            item["note"],
            item["reason"],
        )
        for item in items
    ]
    output.print_table(("REVISION", "OUTCOME", "AUTHOR", "SAVED", "NOTE", "REASON"), rows, "Nothing was saved yet.")


@app.command()
def show(context: typer.Context, tenant: Tenant, number: Number, json: AsJson = False) -> None:
    """Show one revision with its settings."""
    with open_api(context) as api:
        revision = api.get(route("tenants", tenant, "revisions", str(number)))
    if json:
        output.print_json(revision)
        return
    saved = formats.moment(revision["created_at"], clock.now())
    facts = {key: revision[key] for key in ("number", "author", "note", "outcome", "reason")}
    output.print_facts({"saved": saved, **facts})
    output.print_json(revision["settings"])


@app.command()
def diff(
    context: typer.Context,
    tenant: Tenant,
    number: Number,
    against: Annotated[int | None, typer.Option(help="The revision to compare with. Default: the one before.", min=0)] = None,
    json: AsJson = False,
) -> None:
    """Show what changed from one revision to another."""
    with open_api(context) as api:
        found = api.get(route("tenants", tenant, "revisions", str(number), "diff"), against=against)
    if json:
        output.print_json(found)
        return
    _print_changes(found["changes"], f"Nothing changed since revision {found['against']}.")


def _print_changes(changes: list[dict[str, Any]], empty: str) -> None:
    rows = [(one["path"], output.short(one["before"]), output.short(one["after"])) for one in changes]
    output.print_table(("PATH", "BEFORE", "AFTER"), rows, empty)


@app.command()
def rollback(
    context: typer.Context,
    tenant: Tenant,
    number: Number,
    note: Annotated[str | None, typer.Option(help="Why; kept with the new revision.")] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option(
            "--ask",
            metavar="NAME",
            help="A secret the older settings need: asked for, or read as a line of standard input. Repeat for several.",
        ),
    ] = None,
    no_wait: NoWait = False,
    json: AsJson = False,
) -> None:
    """Save an older revision's settings as a new revision. Secrets keep their present values unless --ask gives new ones."""
    body = ({"note": note} if note else {}) | ({"secrets": values.secrets(secret)} if secret else {})
    submit(context, "POST", route("tenants", tenant, "revisions", str(number), "rollback"), body, wait=not no_wait, json=json)
