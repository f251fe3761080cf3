"""Commands that need a running agent: pair a device, send a message, test its provider, look at its channels. And `zcplatform devices …`."""

import sys
from typing import Annotated, Any

import typer

from zcplatform import clock
from zcplatform.cli import formats, output, prompts
from zcplatform.cli.context import AsJson, Tenant, Yes, open_api, route
from zcplatform.cli.tenants import BaseUrl, Family, KeyFile, Model, provider_of

devices = typer.Typer(no_args_is_help=True, help="Devices that are paired with a tenant's agent.")
MESSAGE_S = 150
RESULTS = {
    "works": "works",
    "refused": "the key was refused",
    "limited": "rate-limited",
    "odd": "unexpected answer",
    "not_testable": "cannot be tested",
}


def pair(
    context: typer.Context,
    tenant: Tenant,
    qr: Annotated[bool | None, typer.Option("--qr/--no-qr", help="Draw the address as a QR code. Default: only on a terminal.")] = None,
    json: AsJson = False,
) -> None:
    """Create a pairing code for one device. It is shown once and replaces the pending one."""
    with open_api(context) as api:
        pairing = api.send("POST", route("tenants", tenant, "pairing-code"))
    if json:
        output.print_json(pairing)
        return
    if qr if qr is not None else sys.stdout.isatty():
        import segno

        segno.make(pairing["url"], micro=False).terminal(out=sys.stdout, compact=True)
    expires_at = formats.moment(pairing["expires_at"], clock.now())
    output.print_facts({"code": pairing["code"], "expires": expires_at, "enter it at": pairing["url"]})


def say(
    context: typer.Context,
    tenant: Tenant,
    text: Annotated[str, typer.Argument(help="The message; `-` reads it from standard input.")],
    json: AsJson = False,
) -> None:
    """Send a message to the running agent and print its answer."""
    sent = sys.stdin.read() if text == "-" else text
    with open_api(context, MESSAGE_S) as api:
        reply = api.send("POST", route("tenants", tenant, "messages"), {"text": sent})
    if json:
        output.print_json(reply)
        return
    for line in reply["text"].splitlines():
        output.print_line(line.expandtabs())


def provider_test(
    context: typer.Context,
    tenant: Tenant,
    alias: Annotated[str, typer.Option(help="Which of the tenant's providers.")] = "main",
    provider: Family = None,
    model: Model = None,
    base_url: BaseUrl = None,
    key_file: KeyFile = None,
    json: AsJson = False,
) -> None:
    """Send one request to a model provider with the saved key, or with a key that is not saved yet. May cost one token.

    Exits with 0 only when the provider answered as it should.
    """
    body = provider_of(provider, model, base_url, key_file)
    with open_api(context) as api:
        result = api.send("POST", route("tenants", tenant, "providers", alias, "test"), body)
    if json:
        output.print_json(result)
    else:
        output.print_line(f"{result['family']} at {result['host']}: {RESULTS.get(result['result'], result['result'])}: {result['detail']}")
    if result["result"] != "works":
        raise typer.Exit(1)


def channel_health(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """Show what the running agent reports about each of its channels."""
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
    columns = ("CHANNEL", "BUILT IN", "ENABLED", "READY", "STATUS", "RESTARTS", "LAST ERROR")
    output.print_table(columns, rows, "The agent has no channels.")


@devices.command("list")
def listing(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """List the devices that are paired with the agent."""
    with open_api(context) as api:
        items = api.get(route("tenants", tenant, "devices"))["items"]
    if json:
        output.print_json(items)
        return
    output.print_table(("ID", "NAME", "KIND", "ADDRESS", "PAIRED", "LAST SEEN"), [_row(item) for item in items], "No device is paired.")


def _row(item: dict[str, Any]) -> tuple[object, ...]:
    now = clock.now()
    name = "(the platform itself)" if item["is_platform"] else item["name"]
    return (item["id"], name, item["kind"], item["address"], formats.age(item["paired_at"], now), formats.age(item["last_seen_at"], now))


@devices.command()
def revoke(
    context: typer.Context, tenant: Tenant, device: Annotated[str, typer.Argument(help="Id of a device.")], json: AsJson = False
) -> None:
    """Revoke one device: its token stops working at once."""
    with open_api(context) as api:
        api.send("DELETE", route("tenants", tenant, "devices", device))
    output.print_json({"id": device}) if json else output.print_line("revoked")


@devices.command()
def reset(context: typer.Context, tenant: Tenant, yes: Yes = False, json: AsJson = False) -> None:
    """Revoke every device. The platform's own token stays."""
    prompts.confirm(f"Every device paired with {tenant} has to be paired again. Continue?", is_sure=yes)
    with open_api(context, MESSAGE_S) as api:
        done = api.send("DELETE", route("tenants", tenant, "devices"))
    if json:
        output.print_json(done)
    else:
        output.print_line("no device is paired; the agent restarts" if done["restarts"] else "no device is paired")


def register(app: typer.Typer) -> None:
    """Add the commands to `zcplatform tenants`."""
    app.command()(pair)
    app.command()(say)
    app.command("test-provider")(provider_test)
    app.command("channel-health")(channel_health)
