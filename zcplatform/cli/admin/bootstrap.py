"""zcplatform admin bootstrap: the first super-admin, named by root on the host. There is no other way in, and no default account."""

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
    email: Annotated[str, typer.Option(help="Address of the person who looks after this installation.")],
    json: AsJson = False,
) -> None:
    """Make a person a super-admin, and print a link that signs in once; later a code is mailed to the address."""
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
        output.print_line(f"{user.email} is a super-admin. This link signs in once, within an hour:")
        output.print_line(url)
