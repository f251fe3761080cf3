"""zcplatform audit list: what was done, by whom, to what, as the API gives it. `audit verify` needs only the file (`admin/audit.py`)."""

from typing import Annotated, Any

import typer

from zcplatform import clock
from zcplatform.cli import formats, output
from zcplatform.cli.context import AsJson, complete_slug, open_api, route


def listing(
    context: typer.Context,
    tenant: Annotated[
        str | None,
        typer.Argument(
            metavar="[TENANT]", help="Slug or id. Default: the whole installation, for super-admins.", autocompletion=complete_slug
        ),
    ] = None,
    actor: Annotated[str | None, typer.Option(help="Only entries of this user or token: an id, or how it begins.")] = None,
    action: Annotated[str | None, typer.Option(help="Only this action, or how it begins: tenant.deploy, secret.")] = None,
    since: Annotated[str | None, typer.Option(help="Only newer entries: 90s, 5m, 2h, 3d, or a time as 2026-01-31T12:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option(help="Only older entries, given in the same way.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most entries to show.")] = 100,
    json: AsJson = False,
) -> None:
    """List audit entries, newest first."""
    now = clock.now()
    query = {"actor": actor, "action": action, "since": formats.since(since, now), "until": formats.since(until, now)}
    path = route("audit") if tenant is None else route("tenants", tenant, "audit")
    with open_api(context) as api:
        items = api.items(path, limit, **query)
    if json:
        output.print_json(items)
        return
    columns = ("AT", "ACTOR", "ROLE", "ACTION", "OBJECT", "OUTCOME", "REASON")
    output.print_table(columns, [_row(item) for item in items], "No entries.")


def _row(item: dict[str, Any]) -> tuple[object, ...]:
    reason = item["changes"].get("reason", "")
    return (item["at"], _named(item["actor"], item), item["role"], item["action"], _named(item["object"], item), item["outcome"], reason)


def _named(text: str, item: dict[str, Any]) -> str:
    """With the e-mail address instead of an id where the platform still knows it."""
    first, separator, rest = text.partition(" ")
    return f"{item['people'].get(first, first)}{separator}{rest}"
