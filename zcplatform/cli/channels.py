"""zcplatform channels …"""

from typing import Annotated, Any

import typer

from zcplatform.cli import output, values
from zcplatform.cli.context import AsJson, NoWait, Tenant, open_api, route
from zcplatform.cli.errors import CommandError
from zcplatform.cli.requests import submit

app = typer.Typer(no_args_is_help=True, help="Messengers and other channels through which people reach an agent.")
Name = Annotated[str, typer.Argument(metavar="CHANNEL", help="type.alias, for example telegram.main")]
Peers = Annotated[
    list[str] | None,
    typer.Option("--peer", help="Who may use the channel, in the form the channel names people. Repeat for several; `*` allows everybody."),
]
Options = Annotated[list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="A field of the type. Repeat for several.")]
SecretNames = Annotated[
    list[str] | None,
    typer.Option(
        "--ask", metavar="NAME", help="A secret field of the type: asked for, or read as a line of standard input. Repeat for several."
    ),
]


@app.command("list")
def listing(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """List a tenant's channels."""
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
            ", ".join(name for name, has_value in item["secrets"].items() if has_value),
            item["webhook_url"],
        )
        for item in items
    ]
    output.print_table(
        ("CHANNEL", "STATUS", "PEERS", "SECRETS", "WEBHOOK"), rows, f"No channels yet. Add one: zcplatform channels add {tenant} TYPE"
    )


@app.command()
def types(
    context: typer.Context,
    kind: Annotated[str | None, typer.Argument(metavar="TYPE", help="Show the fields of this type.")] = None,
    json: AsJson = False,
) -> None:
    """List the types of channels, or show what one type needs."""
    with open_api(context) as api:
        items = api.get(route("catalog", "channels"))["items"]
    if kind is not None:
        show_one(items, kind, "channel.unknown_type", "channels types", json=json)
        return
    if json:
        output.print_json(items)
        return
    rows = [(item["name"], item["label"], _needed(item), item["peer"], item["why_not"]) for item in items]
    output.print_table(("TYPE", "NAME", "NEEDS", "PEERS ARE", "NOT AVAILABLE BECAUSE"), rows, "No types.")


def _needed(item: dict[str, Any]) -> str:
    return " ".join(field["name"] for field in item["fields"] if field["is_needed"])


def show_one(items: list[dict[str, Any]], name: str, code: str, command: str, *, json: bool) -> None:
    """One entry of the catalog with its fields, or CommandError."""
    item = next((item for item in items if item["name"] == name), None)
    if item is None:
        raise CommandError(code, f"There is no `{name}`", f"zcplatform {command} lists what there is.")
    if json:
        output.print_json(item)
        return
    texts = {key.replace("_", " "): value for key, value in item.items() if isinstance(value, str) and value}
    output.print_facts(texts)
    for number, step in enumerate(item.get("steps") or [], 1):
        output.print_line(f"{number}. {step}")
    output.print_line("")
    rows = [(field["name"], _field_kind(field), _field_default(field), field["help"]) for field in item["fields"]]
    output.print_table(("FIELD", "TYPE", "DEFAULT", "MEANING"), rows, "It has no fields.")


def _field_kind(field: dict[str, Any]) -> str:
    kind = "secret" if field["is_secret"] else " | ".join(field["choices"]) if field["choices"] else field["type"]
    return f"{kind}, required" if field["is_needed"] else str(kind)


def _field_default(field: dict[str, Any]) -> str:
    return "" if field["default"] in (None, "", [], {}) else output.short(field["default"])


@app.command()
def add(
    context: typer.Context,
    tenant: Tenant,
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="For example telegram; zcplatform channels types lists them.")],
    alias: Annotated[str, typer.Option(help="Distinguishes several channels of one type.")] = "main",
    peers: Peers = None,
    option: Options = None,
    secret: SecretNames = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Save the channel without using it yet.")] = False,
    no_wait: NoWait = False,
    json: AsJson = False,
) -> None:
    """Add a channel to a tenant."""
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
    enabled: Annotated[bool | None, typer.Option("--enabled/--disabled", help="Use the channel, or only keep its settings.")] = None,
    no_wait: NoWait = False,
    json: AsJson = False,
) -> None:
    """Change a channel. What is not named stays as it is."""
    body = _body(peers, option, secret) | ({} if enabled is None else {"enabled": enabled})
    submit(context, "PATCH", route("tenants", tenant, "channels", channel), body, wait=not no_wait, json=json)


@app.command()
def rm(context: typer.Context, tenant: Tenant, channel: Name, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Remove a channel. Its secrets are deleted once the agent runs without it."""
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
