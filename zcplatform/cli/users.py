"""zcplatform users …: for super-admins."""

from typing import Annotated, Any

import typer

from zcplatform.cli import output
from zcplatform.cli.context import AsJson, open_api, route

app = typer.Typer(no_args_is_help=True, help="People who may sign in. For super-admins.")
User = Annotated[str, typer.Argument(help="Address or id.")]


@app.command("list")
def listing(context: typer.Context, json: AsJson = False) -> None:
    """All users."""
    with open_api(context) as api:
        items = api.items(route("users"))
    if json:
        output.print_json(items)
        return
    rows = [
        (
            item["email"],
            item["name"],
            "super-admin" if item["is_super_admin"] else "",
            "disabled" if item["disabled_at"] else "",
            item["id"],
        )
        for item in items
    ]
    output.print_table(("ADDRESS", "NAME", "", "", "ID"), rows, "No users yet: zcplatform users add ADDRESS")


@app.command()
def show(context: typer.Context, user: User, json: AsJson = False) -> None:
    """One user."""
    with open_api(context) as api:
        _print_user(api.get(route("users", user)), json=json)


@app.command()
def add(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="Mail address, where codes are sent to.")],
    name: Annotated[str, typer.Option(help="For people to read.")] = "",
    super_admin: Annotated[bool, typer.Option("--super-admin", help="May do everything everywhere.")] = False,
    json: AsJson = False,
) -> None:
    """Let a person sign in. To let him into a tenant invite him there."""
    with open_api(context) as api:
        _print_user(api.send("POST", route("users"), {"email": address, "name": name, "is_super_admin": super_admin}), json=json)


@app.command()
def disable(context: typer.Context, user: User, json: AsJson = False) -> None:
    """Let nobody in as this user any more; what is open ends at once."""
    _change(context, user, {"disabled": True}, json=json)


@app.command()
def enable(context: typer.Context, user: User, json: AsJson = False) -> None:
    """Let a disabled user sign in again."""
    _change(context, user, {"disabled": False}, json=json)


@app.command()
def delete(context: typer.Context, user: User, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Take a person away for good, with his address. The last super-admin and a tenant's only owner stay."""
    if not yes:
        typer.confirm(f"{user} is taken out of all tenants and can not be brought back. Go on", abort=True, err=True)
    with open_api(context) as api:
        api.send("DELETE", route("users", user))
    output.print_line("deleted")


@app.command()
def promote(context: typer.Context, user: User, json: AsJson = False) -> None:
    """Make a super-admin."""
    _change(context, user, {"is_super_admin": True}, json=json)


@app.command()
def demote(context: typer.Context, user: User, json: AsJson = False) -> None:
    """Make a super-admin a user like others. The last one stays."""
    _change(context, user, {"is_super_admin": False}, json=json)


def _change(context: typer.Context, user: str, wish: dict[str, object], *, json: bool) -> None:
    with open_api(context) as api:
        _print_user(api.send("PATCH", route("users", user), wish), json=json)


def _print_user(user: dict[str, Any], *, json: bool) -> None:
    if json:
        output.print_json(user)
        return
    output.print_facts({"address": user["email"], "name": user["name"] or None, "id": user["id"], "disabled": user["disabled_at"]})
    if user["is_super_admin"]:
        output.print_line("is a super-admin")
    alone = user.get("only_owner_of", [])
    if alone:
        output.print_line(f"the only owner of {', '.join(alone)}")
        if user["disabled_at"]:
            output.print_line(f"  → nobody acts there as an owner now: zcplatform members invite {alone[0]} ADDRESS --role owner")
