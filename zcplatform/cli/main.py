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
    help_texts,
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
ACCOUNT, TENANTS, INSTALLATION, HOST = "Signing in", "Tenants", "The installation", "On the platform's host"
SUBJECTS = {
    TENANTS: {
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
    },
    INSTALLATION: {
        "operations": operations.app,
        "audit": anywhere,
        "images": images.app,
        "plans": plans.app,
        "users": users.app,
    },
    HOST: {"admin": admin},
}
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=ABOUT, context_settings={"help_option_names": help_texts.HELP})
agents.register(tenants.app)
tenants.app.command()(logs.logs)
anywhere.command("list")(audit.listing)
for alone in (login.login, login.logout, login.whoami):
    app.command(rich_help_panel=ACCOUNT)(alone)
for panel, subjects in SUBJECTS.items():
    for name, subject in subjects.items():
        app.add_typer(subject, name=name, rich_help_panel=panel)
app.command(rich_help_panel=INSTALLATION)(events.events)
app.command(rich_help_panel=INSTALLATION)(loops.loops)
app.command(rich_help_panel=HOST)(doctor)


def _print_version(value: bool) -> None:
    if value:
        output.print_line(f"zcplatform {version('zcplatform')}")
        raise typer.Exit


@app.callback()
def about(_: Annotated[bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)] = False) -> None:
    """Multi-tenant platform for the ZeroClaw AI agent: one agent, address and vault for each tenant."""


def command() -> Any:
    """The finished tree of commands."""
    tree = global_options.add_to(typer.main.get_command(app))
    help_texts.tidy(tree)
    panels = (ACCOUNT, TENANTS, INSTALLATION, HOST)
    tree.commands = dict(sorted(tree.commands.items(), key=lambda item: panels.index(item[1].rich_help_panel)))
    return tree


def main() -> None:
    with exit_on_error():
        command()(prog_name="zcplatform")
