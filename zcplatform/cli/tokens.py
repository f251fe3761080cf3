"""zcplatform tokens …: of your own, or of a tenant."""

from typing import Annotated

import typer

from zcplatform.cli import output
from zcplatform.cli.context import AsJson, complete_slug, open_api, route

app = typer.Typer(no_args_is_help=True, help="Tokens for programs: your own, or with --tenant a tenant's service accounts.")
OfTenant = Annotated[
    str | None, typer.Option("--tenant", help="Slug or id: a service account of this tenant.", autocompletion=complete_slug)
]


def _path(tenant: str | None, *more: str) -> str:
    return route("me", "tokens", *more) if tenant is None else route("tenants", tenant, "tokens", *more)


@app.command("list")
def listing(context: typer.Context, tenant: OfTenant = None, json: AsJson = False) -> None:
    """Without what would let anybody use them."""
    with open_api(context) as api:
        items = api.get(_path(tenant))["items"]
    if json:
        output.print_json(items)
        return
    rows = [
        (
            item["id"],
            item["name"],
            item["hint"] + "…",
            item["role"] or "",
            ", ".join(item["scopes"]) if item["scopes"] is not None else "all",
            "revoked" if item["revoked_at"] else item["expires_at"],
            item["last_used_at"] or "never",
        )
        for item in items
    ]
    output.print_table(("ID", "NAME", "BEGINS", "ROLE", "SCOPES", "UNTIL", "LAST USED"), rows, "No tokens yet.")


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Who or what uses it.")],
    tenant: OfTenant = None,
    role: Annotated[str | None, typer.Option(help="The most it may be: viewer, contributor, manager or owner.")] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="A permission it may use (docs/reference/permissions.md); repeat. All without it.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it is good for.")] = 90,
    json: AsJson = False,
) -> None:
    """Make a token. It is shown this once."""
    body: dict[str, object] = {"name": name, "days": days}
    if role is not None:
        body["role"] = role
    if scope:
        body["scopes"] = scope
    with open_api(context) as api:
        told = api.send("POST", _path(tenant), body)
    output.print_json(told) if json else output.print_line(told["token"])


@app.command()
def revoke(
    context: typer.Context, token: Annotated[str, typer.Argument(help="Id of the token.")], tenant: OfTenant = None, json: AsJson = False
) -> None:
    """End a token; the next request with it is refused."""
    with open_api(context) as api:
        api.send("DELETE", _path(tenant, token))
    output.print_json({"id": token}) if json else output.print_line("revoked")
