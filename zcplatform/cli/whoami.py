"""zcplatform whoami"""

import typer

from zcplatform.cli import output
from zcplatform.cli.context import AsJson, open_api, route


def whoami(context: typer.Context, json: AsJson = False) -> None:
    """Show the current user and their tenants."""
    with open_api(context) as api:
        me, tenants = api.get(route("me")), api.get(route("me", "tenants"))["items"]
    if json:
        output.print_json({**me, "tenants": tenants})
        return
    output.print_facts({"id": me["id"], "name": me["name"], "is": "super-admin" if me["is_super_admin"] else me["kind"]})
    rows = [(item["slug"], item["role"], item["state"], item["name"]) for item in tenants]
    output.print_table(("TENANT", "ROLE", "STATE", "NAME"), rows, "Member of no tenant.")
