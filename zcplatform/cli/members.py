"""zcplatform members …"""

from typing import Annotated, Any

import typer

from zcplatform import clock
from zcplatform.cli import formats, output, prompts
from zcplatform.cli.context import AsJson, Tenant, open_api, route
from zcplatform.cli.login import secret_of

app = typer.Typer(no_args_is_help=True, help="Members of a tenant and their roles: viewer, contributor, manager, owner.")
Member = Annotated[str, typer.Argument(metavar="USER", help="E-mail address or id of a user.")]
Role = Annotated[str, typer.Argument(help="viewer, contributor, manager or owner.")]


@app.command("list")
def listing(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """List a tenant's members."""
    with open_api(context) as api:
        _print_members(api.get(route("tenants", tenant, "members")), json=json)


@app.command()
def invite(
    context: typer.Context,
    tenant: Tenant,
    address: Annotated[str, typer.Argument(help="E-mail address.")],
    role: Annotated[str, typer.Option(help="viewer, contributor, manager or owner; not above your own.")] = "viewer",
    json: AsJson = False,
) -> None:
    """Invite somebody to a tenant. The invitation works once, for this address, within seven days."""
    with open_api(context) as api:
        invitation = api.send("POST", route("tenants", tenant, "members"), {"email": address, "role": role})
    if json:
        output.print_json(invitation)
        return
    email, expires_at = invitation["email"], formats.moment(invitation["expires_at"], clock.now())
    if invitation["link"] is None:
        output.print_line(f"invited {email} by mail; the invitation expires {expires_at}")
    else:
        output.print_line(f"No mail server is configured. Give {email} this link, which is shown once and expires {expires_at}:")
        output.print_line(invitation["link"])


@app.command()
def invited(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """List invitations that were not accepted yet."""
    with open_api(context) as api:
        items = api.get(route("tenants", tenant, "invitations"))["items"]
    if json:
        output.print_json(items)
        return
    now = clock.now()
    rows = [(item["email"], item["role"], item["inviter"], formats.age(item["expires_at"], now), item["id"]) for item in items]
    output.print_table(("E-MAIL", "ROLE", "INVITED BY", "EXPIRES", "ID"), rows, "No open invitations.")


@app.command()
def uninvite(
    context: typer.Context, tenant: Tenant, invitation: Annotated[str, typer.Argument(help="Id of the invitation.")], json: AsJson = False
) -> None:
    """Revoke an invitation."""
    with open_api(context) as api:
        api.send("DELETE", route("tenants", tenant, "invitations", invitation))
    output.print_json({"id": invitation}) if json else output.print_line("revoked")


@app.command()
def accept(context: typer.Context, json: AsJson = False) -> None:
    """Accept an invitation to your own address. Prompts for its link, or reads it from standard input."""
    typed = prompts.ask("Link of the invitation", is_secret=True)
    with open_api(context) as api:
        member = api.send("POST", route("invitations", "accept"), {"token": secret_of(api, typed, "token")})
        if json:
            output.print_json(member)
            return
        tenant = api.get(route("tenants", member["tenant_id"]))
    output.print_line(f"you are {member['role']} of {tenant['slug']}")


@app.command("set")
def change(context: typer.Context, tenant: Tenant, member: Member, role: Role, json: AsJson = False) -> None:
    """Change a member's role."""
    with open_api(context) as api:
        _print_members(api.send("PATCH", route("tenants", tenant, "members", member), {"role": role}), json=json)


@app.command()
def rm(context: typer.Context, tenant: Tenant, member: Member, json: AsJson = False) -> None:
    """Remove a member. Their open streams and tokens for the tenant end at once."""
    with open_api(context) as api:
        _print_members(api.send("DELETE", route("tenants", tenant, "members", member)), json=json)


@app.command()
def leave(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """Leave a tenant. The last owner cannot leave."""
    with open_api(context) as api:
        api.send("POST", route("tenants", tenant, "leave"))
    output.print_json({"tenant": tenant}) if json else output.print_line(f"you are not a member of {tenant} any more")


@app.command()
def owner(context: typer.Context, tenant: Tenant, member: Member, json: AsJson = False) -> None:
    """Make a member the owner of a tenant. You become a manager."""
    with open_api(context) as api:
        _print_members(api.send("POST", route("tenants", tenant, "owner"), {"user_id": member}), json=json)


def _print_members(members: dict[str, Any], *, json: bool) -> None:
    items = members["items"]
    if json:
        output.print_json(items)
        return
    rows = [(item["email"], item["name"], item["role"], "disabled" if item["disabled_at"] else "", item["user_id"]) for item in items]
    output.print_table(("E-MAIL", "NAME", "ROLE", "STATUS", "ID"), rows, "No members.")
