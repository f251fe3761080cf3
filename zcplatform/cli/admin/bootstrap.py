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
    """Make a person a super-admin, who signs in with a code that is mailed to the address."""
    from zcplatform.ops import users

    at = clock.text(clock.now())

    def write(tx: "Tx") -> "User":
        return users.bootstrap(tx, at, email)

    with host.database(host.load(context)) as database:
        user = database.write_now(write)
    if json:
        output.as_json({"id": user.id, "email": user.email})
    else:
        output.line(f"{user.email} is a super-admin")
