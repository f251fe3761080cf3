"""zcplatform admin bootstrap: create the first super-admin. There is no default account; only root on the host can do this."""

from typing import TYPE_CHECKING, Annotated

import typer

from zcplatform import clock
from zcplatform.cli import output
from zcplatform.cli.admin import host
from zcplatform.cli.context import AsJson

if TYPE_CHECKING:
    from zcplatform.store.db import Tx
    from zcplatform.store.users import User


def bootstrap(
    context: typer.Context,
    email: Annotated[str, typer.Option(help="E-mail address of the operator.")],
    json: AsJson = False,
) -> None:
    """Create the first super-admin and print a link that signs them in once. Later, sign-in codes are mailed to the address."""
    from zcplatform.core.login import SETUP_LIVES
    from zcplatform.ops import links, users

    settings, at = host.load(context), clock.text(clock.now())
    with host.database(settings) as database:
        code_mac = host.root_keys(settings).code_mac

        def write(tx: "Tx") -> "tuple[User, str]":
            user = users.bootstrap(tx, at, email)
            return user, links.make(tx, settings, code_mac, user, at, SETUP_LIVES)

        user, url = database.write_now(write)
    if json:
        output.print_json({"id": user.id, "email": user.email, "url": url, "expires_in_s": int(SETUP_LIVES.total_seconds())})
    else:
        output.print_line(f"{user.email} is a super-admin. This link signs them in once, within an hour:")
        output.print_line(url)
        output.print_line(f"Open it in a browser, or paste it at a terminal: zcplatform login {settings.panel_url} --link")
