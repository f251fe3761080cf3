"""zcplatform admin login-link: a sign-in link for when mail does not work. For root only; short-lived, usable once, and audited."""

from typing import TYPE_CHECKING, Annotated

import typer

from zcplatform import clock
from zcplatform.cli import output
from zcplatform.cli.admin import host
from zcplatform.cli.context import AsJson

if TYPE_CHECKING:
    from zcplatform.store.db import Tx


def login_link(
    context: typer.Context, email: Annotated[str, typer.Argument(metavar="EMAIL", help="E-mail address of the user.")], json: AsJson = False
) -> None:
    """Print a link that signs a user in once, within 15 minutes.

    Open it in a browser, or paste it at a terminal: zcplatform login URL --link
    """
    from zcplatform.core.login import LINK_LIVES
    from zcplatform.ops import links

    settings, at = host.load(context), clock.text(clock.now())
    with host.database(settings) as database:
        code_mac = host.root_keys(settings).code_mac

        def write(tx: "Tx") -> str:
            return links.make(tx, settings, code_mac, links.active_user(tx, email), at, LINK_LIVES)

        url = database.write_now(write)
    if json:
        output.print_json({"url": url, "expires_in_s": int(LINK_LIVES.total_seconds())})
    else:
        output.print_line(url)
