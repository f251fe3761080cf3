"""zcplatform members …"""

import sys
from typing import Annotated, Any

import typer

from zcplatform.cli import output
from zcplatform.cli.context import AsJson, Tenant, open_api, route
from zcplatform.cli.credentials import checked

app = typer.Typer(no_args_is_help=True, help="Who may do what in a tenant: viewer, contributor, manager, owner.")
Member = Annotated[str, typer.Argument(help="Address or id of a user.")]
Role = Annotated[str, typer.Argument(help="viewer, contributor, manager or owner.")]


@app.command("list")
def listing(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """A tenant's members."""
    with open_api(context) as api:
        _print_members(api.get(route("tenants", tenant, "members")), json=json)


@app.command()
def invite(
    context: typer.Context,
    tenant: Tenant,
    address: Annotated[str, typer.Argument(help="Mail address.")],
    role: Annotated[str, typer.Option(help="viewer, contributor, manager or owner; not above your own.")] = "viewer",
    json: AsJson = False,
) -> None:
    """Invite an address. Good for seven days, once, for this address."""
    with open_api(context) as api:
        told = api.send("POST", route("tenants", tenant, "members"), {"email": address, "role": role})
    if json:
        output.print_json(told)
    elif told["link"] is None:
        output.print_line(f"invited {told['email']} by mail; good until {told['expires_at']}")
    else:
        output.print_line(
            f"No mail is configured here. Bring {told['email']} this link; it is shown once and good until {told['expires_at']}:"
        )
        output.print_line(told["link"])


@app.command()
def invited(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """Invitations that nobody accepted yet."""
    with open_api(context) as api:
        items = api.get(route("tenants", tenant, "invitations"))["items"]
    if json:
        output.print_json(items)
        return
    rows = [(item["email"], item["role"], item["inviter"], item["expires_at"], item["id"]) for item in items]
    output.print_table(("ADDRESS", "ROLE", "BY", "UNTIL", "ID"), rows, "No open invitations.")


@app.command()
def uninvite(
    context: typer.Context, tenant: Tenant, invitation: Annotated[str, typer.Argument(help="Id of the invitation.")], json: AsJson = False
) -> None:
    """Take an invitation back."""
    with open_api(context) as api:
        api.send("DELETE", route("tenants", tenant, "invitations", invitation))
    output.print_json({"id": invitation}) if json else output.print_line("taken back")


@app.command()
def accept(context: typer.Context, json: AsJson = False) -> None:
    """Accept an invitation for your own address; its token is asked for, or read from standard input."""
    typed = typer.prompt("Token of the invitation", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    with open_api(context) as api:
        told = api.send("POST", route("invitations", "accept"), {"token": checked(str(typed).strip(), "standard input")})
    output.print_json(told) if json else output.print_line(f"you are {told['role']} of {told['tenant_id']}")


@app.command("set")
def change(context: typer.Context, tenant: Tenant, member: Member, role: Role, json: AsJson = False) -> None:
    """Give a member another role."""
    with open_api(context) as api:
        _print_members(api.send("PATCH", route("tenants", tenant, "members", member), {"role": role}), json=json)


@app.command()
def rm(context: typer.Context, tenant: Tenant, member: Member, json: AsJson = False) -> None:
    """Be a member no more: open streams and tokens end at once."""
    with open_api(context) as api:
        _print_members(api.send("DELETE", route("tenants", tenant, "members", member)), json=json)


@app.command()
def leave(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """Leave a tenant yourself. The last owner stays."""
    with open_api(context) as api:
        api.send("POST", route("tenants", tenant, "leave"))
    output.print_json({"tenant": tenant}) if json else output.print_line(f"you are no member of {tenant} any more")


@app.command()
def owner(context: typer.Context, tenant: Tenant, member: Member, json: AsJson = False) -> None:
    """Hand a tenant over: this member becomes its owner, you become a manager."""
    with open_api(context) as api:
        _print_members(api.send("POST", route("tenants", tenant, "owner"), {"user_id": member}), json=json)


def _print_members(members: dict[str, Any], *, json: bool) -> None:
    items = members["items"]
    if json:
        output.print_json(items)
        return
    rows = [(item["email"], item["name"], item["role"], "disabled" if item["disabled_at"] else "", item["user_id"]) for item in items]
    output.print_table(("ADDRESS", "NAME", "ROLE", "", "ID"), rows, "No members.")
