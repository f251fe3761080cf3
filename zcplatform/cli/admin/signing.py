"""zcplatform admin rotate-signing-key: sign sessions with a new key. The running platform switches within seconds."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from zcplatform import clock
from zcplatform.cli import output
from zcplatform.cli.admin import host
from zcplatform.cli.context import AsJson

if TYPE_CHECKING:
    from zcplatform.store.db import Tx


def rotate_signing_key(
    context: typer.Context,
    now: Annotated[
        bool, typer.Option("--now", help="Refuse the old key at once, because it leaked. All users have to sign in again.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Sign sessions with a new key. Sessions signed with the old one stay valid until they expire, within a day."""
    from zcplatform.core.audit import Entry
    from zcplatform.core.login import KEY_GRACE
    from zcplatform.store import audit, signing_keys

    moment = clock.now()
    at, retires_at = clock.text(moment), clock.text(moment + (timedelta(0) if now else KEY_GRACE))

    def write(tx: "Tx") -> int:
        number = signing_keys.rotate(tx, at, retires_at)
        audit.append(tx, Entry(at, "host:root", "signing_key.rotate", str(number), changes={"old_keys_retire_at": [None, retires_at]}))
        return number

    with host.database(host.load(context)) as database:
        number = database.write_now(write)
    if json:
        output.print_json({"number": number, "old_keys_retire_at": retires_at})
    else:
        output.print_line(f"key {number} signs from now on; older keys are refused from {retires_at}")
