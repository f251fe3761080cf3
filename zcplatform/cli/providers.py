"""zcplatform providers …"""

from typing import Annotated, Any

import typer

from zcplatform.cli import output
from zcplatform.cli.channels import show_one
from zcplatform.cli.context import AsJson, Tenant, open_api, route

app = typer.Typer(no_args_is_help=True, help="Model providers: which a tenant uses, and which there are.")


@app.command("list")
def listing(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """List the model providers in a tenant's settings, and which have a key."""
    with open_api(context) as api:
        config = api.get(route("tenants", tenant, "config"))
    keys = {place["name"]: place["is_stored"] for place in config["secrets"]}
    items = [{"alias": alias, **provider, "has_key": keys.get(f"providers.{alias}.api_key")} for alias, provider in _providers(config)]
    if json:
        output.print_json(items)
        return
    has_key = {True: "saved", False: "none", None: "not needed"}
    rows = [(item["alias"], item["family"], item["model"], item.get("base_url"), has_key[item["has_key"]]) for item in items]
    empty = f"No provider yet. Choose one: zcplatform config set {tenant} providers.main.family=FAMILY providers.main.model=MODEL"
    output.print_table(("ALIAS", "FAMILY", "MODEL", "ADDRESS", "KEY"), rows, empty)


def _providers(config: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return sorted(config["settings"].get("providers", {}).items())


@app.command()
def types(
    context: typer.Context,
    family: Annotated[str | None, typer.Argument(metavar="FAMILY", help="Show the fields of this provider.")] = None,
    json: AsJson = False,
) -> None:
    """List the model providers there are, or show what one of them needs."""
    with open_api(context) as api:
        items = api.get(route("catalog", "providers"))["items"]
    if family is not None:
        show_one(items, family, "provider.unknown_family", "providers types", json=json)
        return
    if json:
        output.print_json(items)
        return
    rows = [(item["name"], item["label"], ", ".join(item["auth"]), item["default_base_url"] or item["base_url"]) for item in items]
    output.print_table(("FAMILY", "NAME", "SIGN-IN", "ADDRESS"), rows, "No providers.")
