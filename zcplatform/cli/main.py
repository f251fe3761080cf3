"""The command line, put together: one file for each subject, errors as one sentence and what to do."""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from zcplatform.cli import agents, channels, config, drift, images, members, operations, output, plans, revisions, secrets, tenants, users
from zcplatform.cli import tokens as access_tokens
from zcplatform.cli.admin import audit, bootstrap, keys, login_link, mail, signing, teardown, tokens
from zcplatform.cli.context import AsJson, Options, route
from zcplatform.cli.credentials import VARIABLE, Credentials, checked, save_credentials
from zcplatform.cli.doctor import doctor
from zcplatform.cli.exit_codes import exit_on_error
from zcplatform.cli.whoami import whoami

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="Tenants with one ZeroClaw agent each, on one host.")
admin = typer.Typer(no_args_is_help=True, help="On the host only, as root: opens the database itself.")
admin.add_typer(tokens.app, name="token")
admin.add_typer(audit.app, name="audit")
admin.add_typer(mail.app, name="mail")
admin.command()(bootstrap.bootstrap)
admin.command()(login_link.login_link)
admin.command()(signing.rotate_signing_key)
admin.command()(teardown.teardown)
agents.register(tenants.app)
admin.command()(keys.rotate_key)
app.add_typer(tenants.app, name="tenants")
app.add_typer(config.app, name="config")
app.add_typer(channels.app, name="channels")
app.add_typer(secrets.app, name="secrets")
app.add_typer(revisions.app, name="revisions")
app.add_typer(drift.app, name="drift")
app.add_typer(agents.devices, name="devices")
app.add_typer(operations.app, name="operations")
app.add_typer(images.app, name="images")
app.add_typer(audit.anywhere, name="audit")
app.add_typer(admin, name="admin")
app.add_typer(users.app, name="users")
app.add_typer(members.app, name="members")
app.add_typer(access_tokens.app, name="tokens")
app.add_typer(plans.app, name="plans")
app.command()(whoami)
app.command()(doctor)
SettingsFile = Annotated[Path | None, typer.Option("--settings", help="The settings file, on the host.")]


def _print_version(value: bool) -> None:
    if value:
        output.print_line(f"zcplatform {version('zcplatform')}")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    api: Annotated[str | None, typer.Option(help=f"Address of the API; {VARIABLE}, or the saved login's otherwise.")] = None,
    token_file: Annotated[Path | None, typer.Option(help="File that holds a token; the saved login's otherwise.")] = None,
    settings: SettingsFile = None,
    reason: Annotated[str | None, typer.Option(help="Why you act in others' tenant as a super-admin; for its audit log.")] = None,
    _: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,
) -> None:
    """Tenants with one ZeroClaw agent each, on one host."""
    context.obj = Options(api, token_file, settings, reason)


@app.command()
def login(
    api: Annotated[str, typer.Argument(help="Address of the API, for example https://panel.agents.example.com")], json: AsJson = False
) -> None:
    """Save where the API is and a token, which is asked for and not shown, or read from standard input."""
    from zcplatform.cli.client import Api

    typed = typer.prompt("Token", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    found = Credentials(api.rstrip("/"), checked(str(typed).strip(), "standard input"))
    with Api(found) as client:
        client.get(route("tenants"), limit=1)
    path = save_credentials(found)
    output.print_json({"api": found.api, "saved_in": str(path)}) if json else output.print_line(f"signed in; saved in {path}")


def main() -> None:
    with exit_on_error():
        app()
