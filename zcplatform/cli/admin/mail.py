"""zcplatform admin mail test: send one mail with the settings of this host, so that mistakes show here and not only in a log."""

import asyncio
from typing import Annotated

import typer

from zcplatform.cli import output
from zcplatform.cli.admin import host
from zcplatform.cli.context import AsJson
from zcplatform.cli.errors import CommandError

app = typer.Typer(no_args_is_help=True, help="The mail server.")


@app.callback()
def _group() -> None:
    """The mail server."""


@app.command("test")
def send_test(
    context: typer.Context, to: Annotated[str, typer.Argument(metavar="ADDRESS", help="Recipient.")], json: AsJson = False
) -> None:
    """Send a test mail and wait until the mail server has accepted it."""
    from zcplatform.adapters.mail import MailServer
    from zcplatform.core.mailboxes import canonical
    from zcplatform.core.mails import Kind, mail

    settings = host.load(context)
    server, address = MailServer.of(settings), canonical(to)
    if server is None:
        raise CommandError(
            "mail.none", "No mail server is configured", "Set mail_host and mail_from in the settings file; see docs/reference/sign-in.md."
        )
    if address is None:
        raise CommandError("mail.address", "This is not an e-mail address", "For example ann@example.com")
    asyncio.run(server.send(address, mail(Kind.TEST, {}, settings.panel_url)))
    output.print_json({"sent_to": address}) if json else output.print_line(f"{server.host}:{server.port} accepted the mail for {address}")
