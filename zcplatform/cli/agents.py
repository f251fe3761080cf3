"""Commands that need a running agent: pair a device, say something, test its provider, look at its channels. And `zcplatform devices …`."""

import sys
from typing import Annotated

import typer

from zcplatform.cli import output
from zcplatform.cli.context import AsJson, Tenant, open_api, route
from zcplatform.cli.tenants import BaseUrl, Family, KeyFile, Model, provider_of

devices = typer.Typer(no_args_is_help=True, help="Who is paired with a tenant's agent.")
MESSAGE_S = 150
RESULTS = {"works": "works", "refused": "key refused", "limited": "limited", "odd": "odd answer", "not_testable": "not testable"}


def pair(
    context: typer.Context,
    tenant: Tenant,
    qr: Annotated[bool | None, typer.Option("--qr/--no-qr", help="Draw the address; on a terminal it is drawn anyway.")] = None,
    json: AsJson = False,
) -> None:
    """A code to pair one device with the agent. It is shown once; a new one ends the one before."""
    with open_api(context) as api:
        told = api.send("POST", route("tenants", tenant, "pairing-code"))
    if json:
        output.print_json(told)
        return
    if qr if qr is not None else sys.stdout.isatty():
        import segno

        segno.make(told["url"], micro=False).terminal(out=sys.stdout, compact=True)
    output.print_facts({"code": told["code"], "valid until": told["expires_at"], "enter it at": told["url"]})


def say(
    context: typer.Context,
    tenant: Tenant,
    text: Annotated[str, typer.Argument(help="What to say; `-` reads standard input.")],
    json: AsJson = False,
) -> None:
    """Say something to the running agent and print its answer."""
    sent = sys.stdin.read() if text == "-" else text
    with open_api(context, MESSAGE_S) as api:
        told = api.send("POST", route("tenants", tenant, "messages"), {"text": sent})
    if json:
        output.print_json(told)
        return
    for line in told["text"].splitlines():
        output.print_line(line.expandtabs())


def try_provider(
    context: typer.Context,
    tenant: Tenant,
    alias: Annotated[str, typer.Option(help="Which of its providers.")] = "main",
    provider: Family = None,
    model: Model = None,
    base_url: BaseUrl = None,
    key_file: KeyFile = None,
    json: AsJson = False,
) -> None:
    """Whether the saved provider takes its key; or, with --provider and --model, one that is not saved. May cost one token."""
    body = provider_of(provider, model, base_url, key_file)
    with open_api(context) as api:
        told = api.send("POST", route("tenants", tenant, "providers", alias, "test"), body)
    if json:
        output.print_json(told)
    else:
        output.print_line(f"{told['family']} at {told['host']}: {RESULTS.get(told['result'], told['result'])}: {told['detail']}")
    if told["result"] != "works":
        raise typer.Exit(1)


def channel_health(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """What the running agent says of each of its channels."""
    with open_api(context) as api:
        items = api.get(route("tenants", tenant, "channels", "health"))["items"]
    if json:
        output.print_json(items)
        return
    ready = {True: "yes", False: "no", None: "unknown"}
    rows = [
        (
            item["name"],
            "yes" if item["is_compiled"] else "not in this image",
            "yes" if item["is_enabled"] else "no",
            ready[item["is_ready"]],
            item["status"],
            item["restarts"],
            item["error"] or " ".join(item["requirements"]),
        )
        for item in items
    ]
    output.print_table(("CHANNEL", "BUILT IN", "ENABLED", "READY", "STATUS", "RESTARTS", "LAST ERROR"), rows, "The agent has no channels.")


@devices.command("list")
def listing(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """Every device that holds a token of the agent."""
    with open_api(context) as api:
        items = api.get(route("tenants", tenant, "devices"))["items"]
    if json:
        output.print_json(items)
        return
    rows = [
        (
            item["id"],
            "(the platform itself)" if item["is_platform"] else item["name"] or "",
            item["kind"] or "",
            item["address"] or "",
            item["paired_at"],
            item["last_seen_at"],
        )
        for item in items
    ]
    output.print_table(("ID", "NAME", "KIND", "FROM", "PAIRED AT", "LAST SEEN"), rows, "Nobody is paired.")


@devices.command()
def revoke(context: typer.Context, tenant: Tenant, device: Annotated[str, typer.Argument(help="Id of a device.")]) -> None:
    """Let one device go: its token is worth nothing from now on."""
    with open_api(context) as api:
        api.send("DELETE", route("tenants", tenant, "devices", device))
    output.print_line("revoked")


@devices.command()
def reset(context: typer.Context, tenant: Tenant, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Let every device go. The platform's own token stays."""
    if not yes:
        typer.confirm(f"Every device paired with {tenant} has to be paired again. Go on", abort=True, err=True)
    with open_api(context, MESSAGE_S) as api:
        told = api.send("DELETE", route("tenants", tenant, "devices"))
    output.print_line("nobody is paired; the agent is started again" if told["restarts"] else "nobody is paired")


def register(app: typer.Typer) -> None:
    """As commands of `zcplatform tenants`."""
    app.command()(pair)
    app.command()(say)
    app.command("test-provider")(try_provider)
    app.command("channel-health")(channel_health)
