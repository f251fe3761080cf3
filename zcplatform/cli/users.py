"""zcplatform users …: for super-admins."""

from typing import Annotated, Any

import typer

from zcplatform import clock
from zcplatform.cli import formats, output, prompts
from zcplatform.cli.context import AsJson, Search, Sort, Yes, open_api, route

app = typer.Typer(no_args_is_help=True, help="Users of the installation. For super-admins.")
User = Annotated[str, typer.Argument(metavar="USER", help="E-mail address or id.")]


@app.command("list")
def listing(context: typer.Context, search: Search = None, sort: Sort = None, json: AsJson = False) -> None:
    """List users."""
    with open_api(context) as api:
        items = api.items(route("users"), q=search, sort=sort)
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
    output.print_table(
        ("E-MAIL", "NAME", "RIGHTS", "STATUS", "ID"),
        rows,
        "No user matches." if search else "No users yet. Add one: zcplatform users add ADDRESS",
    )


@app.command()
def show(context: typer.Context, user: User, json: AsJson = False) -> None:
    """Show one user."""
    with open_api(context) as api:
        _print_user(api.get(route("users", user)), json=json)


@app.command()
def add(
    context: typer.Context,
    address: Annotated[str, typer.Argument(help="E-mail address, to which sign-in codes are sent.")],
    name: Annotated[str, typer.Option(help="Display name.")] = "",
    super_admin: Annotated[bool, typer.Option("--super-admin", help="Give all rights in all tenants.")] = False,
    json: AsJson = False,
) -> None:
    """Add a user. To give them a tenant, invite them to it: zcplatform members invite SLUG ADDRESS."""
    with open_api(context) as api:
        _print_user(api.send("POST", route("users"), {"email": address, "name": name, "is_super_admin": super_admin}), json=json)


@app.command()
def disable(context: typer.Context, user: User, json: AsJson = False) -> None:
    """Disable a user and end their sessions."""
    _change(context, user, {"disabled": True}, json=json)


@app.command()
def enable(context: typer.Context, user: User, json: AsJson = False) -> None:
    """Enable a disabled user, who can then sign in again."""
    _change(context, user, {"disabled": False}, json=json)


@app.command()
def delete(context: typer.Context, user: User, yes: Yes = False, json: AsJson = False) -> None:
    """Delete a user and erase their address. Refused for the last super-admin and for the only owner of a tenant."""
    prompts.confirm(f"{user} is removed from all tenants for good. Continue?", is_sure=yes)
    with open_api(context) as api:
        api.send("DELETE", route("users", user))
    output.print_json({"user": user}) if json else output.print_line("deleted")


@app.command()
def promote(context: typer.Context, user: User, json: AsJson = False) -> None:
    """Give super-admin rights."""
    _change(context, user, {"is_super_admin": True}, json=json)


@app.command()
def demote(context: typer.Context, user: User, json: AsJson = False) -> None:
    """Remove super-admin rights. Refused for the last super-admin."""
    _change(context, user, {"is_super_admin": False}, json=json)


def _change(context: typer.Context, user: str, change: dict[str, object], *, json: bool) -> None:
    with open_api(context) as api:
        _print_user(api.send("PATCH", route("users", user), change), json=json)


def _print_user(user: dict[str, Any], *, json: bool) -> None:
    if json:
        output.print_json(user)
        return
    rights = "super-admin" if user["is_super_admin"] else None
    facts = {"e-mail": user["email"], "name": user["name"] or None, "id": user["id"], "rights": rights}
    output.print_facts({**facts, "disabled": formats.moment(user["disabled_at"], clock.now())})
    alone = user.get("only_owner_of", [])
    if alone:
        output.print_line(f"only owner of: {', '.join(alone)}")
        if user["disabled_at"]:
            output.print_line(f"  → no owner can sign in there now: zcplatform members invite {alone[0]} ADDRESS --role owner")
