"""zcplatform revisions …"""

from typing import Annotated, Any

import typer

from zcplatform.cli import output, values
from zcplatform.cli.context import AsJson, NoWait, Tenant, open_api, route
from zcplatform.cli.requests import submit

app = typer.Typer(no_args_is_help=True, help="What was saved of a tenant's settings, and the way back.")
Number = Annotated[int, typer.Argument(help="Number of a revision.", min=1)]


@app.command("list")
def listing(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """All revisions, newest first."""
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
            item["created_at"],
            item["note"],
            item["reason"],
        )
        for item in items
    ]
    output.print_table(("REVISION", "WENT", "BY", "AT", "NOTE", "WHY"), rows, "Nothing was saved yet.")


@app.command()
def show(context: typer.Context, tenant: Tenant, number: Number, json: AsJson = False) -> None:
    """One revision with its settings."""
    with open_api(context) as api:
        told = api.get(route("tenants", tenant, "revisions", str(number)))
    if json:
        output.print_json(told)
        return
    output.print_facts({key: told[key] for key in ("number", "author", "created_at", "note", "outcome", "reason")})
    output.print_json(told["settings"])


@app.command()
def diff(
    context: typer.Context,
    tenant: Tenant,
    number: Number,
    against: Annotated[int | None, typer.Option(help="The revision to compare with; the one before otherwise.", min=0)] = None,
    json: AsJson = False,
) -> None:
    """What changed from one revision to another."""
    with open_api(context) as api:
        told = api.get(route("tenants", tenant, "revisions", str(number), "diff"), against=against)
    if json:
        output.print_json(told)
        return
    changes(told["changes"], f"Nothing changed since revision {told['against']}.")


def changes(found: list[dict[str, Any]], nothing: str) -> None:
    """One line for each path."""
    output.print_table(
        ("WHERE", "BEFORE", "AFTER"), [(one["path"], output.short(one["before"]), output.short(one["after"])) for one in found], nothing
    )


@app.command()
def rollback(
    context: typer.Context,
    tenant: Tenant,
    number: Number,
    note: Annotated[str | None, typer.Option(help="Why.")] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option("--ask", metavar="NAME", help="A secret the older settings need: asked for, or one a line from standard input."),
    ] = None,
    no_wait: NoWait = False,
    json: AsJson = False,
) -> None:
    """Save an older revision's settings again, as a new one. Secrets stay as they are, but for those that are given."""
    body = ({"note": note} if note else {}) | ({"secrets": values.secrets(secret)} if secret else {})
    submit(context, "POST", route("tenants", tenant, "revisions", str(number), "rollback"), body, wait=not no_wait, json=json)
