"""The command line, put together: one module for each subject, global options on every command, errors as a sentence with what to do next."""

from importlib.metadata import version
from typing import Annotated, Any

import typer
import typer.main

from zcplatform.cli import (
    agents,
    audit,
    channels,
    config,
    drift,
    events,
    global_options,
    images,
    login,
    logs,
    loops,
    members,
    operations,
    output,
    plans,
    providers,
    revisions,
    secrets,
    tenants,
    tokens,
    users,
)
from zcplatform.cli.admin import app as admin
from zcplatform.cli.admin.audit import anywhere
from zcplatform.cli.doctor import doctor
from zcplatform.cli.exit_codes import exit_on_error

ABOUT = "Multi-tenant platform for the ZeroClaw AI agent: one agent, address and vault for each tenant."
SUBJECTS = {
    "tenants": tenants.app,
    "config": config.app,
    "providers": providers.app,
    "channels": channels.app,
    "secrets": secrets.app,
    "revisions": revisions.app,
    "drift": drift.app,
    "devices": agents.devices,
    "members": members.app,
    "tokens": tokens.app,
    "operations": operations.app,
    "audit": anywhere,
    "images": images.app,
    "plans": plans.app,
    "users": users.app,
    "admin": admin,
}
app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False, help=ABOUT, context_settings={"help_option_names": ["-h", "--help"]}
)
app.command()(login.login)
app.command()(login.logout)
app.command()(login.whoami)
agents.register(tenants.app)
tenants.app.command()(logs.logs)
anywhere.command("list")(audit.listing)
app.command()(events.events)
app.command()(loops.loops)
for name, subject in SUBJECTS.items():
    app.add_typer(subject, name=name)
app.command()(doctor)


def _print_version(value: bool) -> None:
    if value:
        output.print_line(f"zcplatform {version('zcplatform')}")
        raise typer.Exit


@app.callback()
def about(_: Annotated[bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)] = False) -> None:
    """Multi-tenant platform for the ZeroClaw AI agent: one agent, address and vault for each tenant."""


def command() -> Any:
    """The finished tree of commands."""
    return global_options.add_to(typer.main.get_command(app))


def main() -> None:
    with exit_on_error():
        command()(prog_name="zcplatform")
