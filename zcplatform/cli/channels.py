"""zcplatform channels …"""

from typing import Annotated, Any

import typer

from zcplatform.cli import output, values
from zcplatform.cli.context import AsJson, NoWait, Tenant, open_api, route
from zcplatform.cli.requests import submit

app = typer.Typer(no_args_is_help=True, help="Where people reach a tenant's agent.")
Name = Annotated[str, typer.Argument(metavar="CHANNEL", help="type.alias, for example telegram.main")]
Peers = Annotated[
    list[str] | None, typer.Option("--peer", help="Who is let in, as the channel names people; once for each. `*` is everybody.")
]
Options = Annotated[list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="A field of the type; once for each.")]
SecretNames = Annotated[
    list[str] | None, typer.Option("--ask", metavar="NAME", help="A secret field: asked for, or one a line from standard input.")
]


@app.command("list")
def listing(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """A tenant's channels."""
    with open_api(context) as api:
        items = api.items(route("tenants", tenant, "channels"))
    if json:
        output.print_json(items)
        return
    rows = [
        (
            item["name"],
            "enabled" if item["enabled"] else "disabled",
            ", ".join(item["peers"]),
            ", ".join(name for name, has in item["secrets"].items() if has),
        )
        for item in items
    ]
    output.print_table(("CHANNEL", "", "LETS IN", "SECRETS"), rows, f"No channels yet: zcplatform channels add {tenant} TYPE")


@app.command()
def types(context: typer.Context, json: AsJson = False) -> None:
    """The types there are."""
    with open_api(context) as api:
        items = api.get(route("catalog", "channels"))["items"]
    if json:
        output.print_json(items)
        return
    rows = [
        (
            item["name"],
            item["label"],
            " ".join(field["name"] for field in item["fields"] if field["is_needed"]),
            item["peer"],
            item["why_not"],
        )
        for item in items
    ]
    output.print_table(("TYPE", "NAME", "NEEDS", "LETS IN BY", "WHY NOT"), rows, "None.")


@app.command()
def add(
    context: typer.Context,
    tenant: Tenant,
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="For example telegram; `channels types` lists them.")],
    alias: Annotated[str, typer.Option(help="To tell several of one type apart.")] = "main",
    peers: Peers = None,
    option: Options = None,
    secret: SecretNames = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Save it, but do not use it yet.")] = False,
    no_wait: NoWait = False,
    json: AsJson = False,
) -> None:
    """Add a channel."""
    body = _body(peers, option, secret) | {"type": kind, "alias": alias} | ({"enabled": False} if disabled else {})
    submit(context, "POST", route("tenants", tenant, "channels"), body, wait=not no_wait, json=json)


@app.command("set")
def change(
    context: typer.Context,
    tenant: Tenant,
    channel: Name,
    peers: Peers = None,
    option: Options = None,
    secret: SecretNames = None,
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled")] = None,
    no_wait: NoWait = False,
    json: AsJson = False,
) -> None:
    """Change a channel; only what is named changes."""
    body = _body(peers, option, secret) | ({} if enabled is None else {"enabled": enabled})
    submit(context, "PATCH", route("tenants", tenant, "channels", channel), body, wait=not no_wait, json=json)


@app.command()
def rm(context: typer.Context, tenant: Tenant, channel: Name, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Remove a channel and, when the agent is well without it, its secrets."""
    submit(context, "DELETE", route("tenants", tenant, "channels", channel), None, wait=not no_wait, json=json)


def _body(peers: list[str] | None, option: list[str] | None, secret: list[str] | None) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if peers is not None:
        body["peers"] = peers
    if option:
        body["options"] = values.options(option)
    if secret:
        body["secrets"] = values.secrets(secret)
    return body
