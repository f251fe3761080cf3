"""zcplatform admin mail test: one mail, sent now with the settings of this host, so that what is wrong is told here and not in a log."""

import asyncio
from typing import Annotated

import typer

from zcplatform.cli import output
from zcplatform.cli.admin import host
from zcplatform.cli.context import AsJson
from zcplatform.cli.errors import CommandError

app = typer.Typer(no_args_is_help=True, help="Mail.")


@app.callback()
def _group() -> None:
    """Mail."""


@app.command("test")
def send_test(
    context: typer.Context, to: Annotated[str, typer.Argument(metavar="ADDRESS", help="Who gets it.")], json: AsJson = False
) -> None:
    """Send a mail to ADDRESS and wait until the mail server took it."""
    from zcplatform.adapters.mail import MailServer
    from zcplatform.core.mailboxes import canonical
    from zcplatform.core.mails import Kind, mail

    settings = host.load(context)
    server, address = MailServer.of(settings), canonical(to)
    if server is None:
        raise CommandError(
            "mail.none", "No mail server is configured", "set mail_host and mail_from in the settings file; docs/reference/sign-in.md"
        )
    if address is None:
        raise CommandError("mail.address", "That is no mail address", "for example ann@example.com")
    asyncio.run(server.send(address, mail(Kind.TEST, {}, settings.panel_url)))
    output.print_json({"sent_to": address}) if json else output.print_line(f"{server.host}:{server.port} took the mail for {address}")
