"""zcplatform tokens …: a person's own tokens, or service accounts of a tenant."""

from typing import Annotated

import typer

from zcplatform import clock
from zcplatform.cli import formats, output
from zcplatform.cli.context import AsJson, complete_slug, open_api, route

app = typer.Typer(no_args_is_help=True, help="API tokens for programs: your own, or with --tenant service accounts of a tenant.")
OfTenant = Annotated[
    str | None, typer.Option("--tenant", help="Slug or id: a service account of this tenant.", autocompletion=complete_slug)
]


def _path(tenant: str | None, *more: str) -> str:
    return route("me", "tokens", *more) if tenant is None else route("tenants", tenant, "tokens", *more)


@app.command("list")
def listing(context: typer.Context, tenant: OfTenant = None, json: AsJson = False) -> None:
    """List tokens, without their values."""
    with open_api(context) as api:
        items = api.get(_path(tenant))["items"]
    if json:
        output.print_json(items)
        return
    now = clock.now()
    rows = [
        (
            item["id"],
            item["name"],
            item["hint"] + "…",
            item["role"] or "",
            ", ".join(item["scopes"]) if item["scopes"] is not None else "all",
            "revoked" if item["revoked_at"] else formats.age(item["expires_at"], now),
            formats.age(item["last_used_at"], now) or "never",
        )
        for item in items
    ]
    output.print_table(("ID", "NAME", "BEGINS WITH", "ROLE", "SCOPES", "EXPIRES", "LAST USED"), rows, "No tokens yet.")


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the token is for.")],
    tenant: OfTenant = None,
    role: Annotated[str | None, typer.Option(help="Strongest role it may act with: viewer, contributor, manager or owner.")] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="A permission it may use (docs/reference/permissions.md). Repeat for several; all without it.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=365, help="Days until it expires.")] = 90,
    json: AsJson = False,
) -> None:
    """Create a token. It is shown only now."""
    body: dict[str, object] = {"name": name, "days": days}
    if role is not None:
        body["role"] = role
    if scope:
        body["scopes"] = scope
    with open_api(context) as api:
        token = api.send("POST", _path(tenant), body)
    output.print_json(token) if json else output.print_line(token["token"])


@app.command()
def revoke(
    context: typer.Context, token: Annotated[str, typer.Argument(help="Id of the token.")], tenant: OfTenant = None, json: AsJson = False
) -> None:
    """Revoke a token. It stops working at once."""
    with open_api(context) as api:
        api.send("DELETE", _path(tenant, token))
    output.print_json({"id": token}) if json else output.print_line("revoked")
