"""What host-only verbs open: settings, root key and database of the installation on this host. Loaded when one is run, not before."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from zcplatform.cli.context import options
from zcplatform.cli.login import Told
from zcplatform.errors import Refused

if TYPE_CHECKING:
    from zcplatform.settings import Settings
    from zcplatform.store.db import Database
    from zcplatform.vault.keys import Keys


def load(context: typer.Context) -> "Settings":
    from zcplatform import settings as files

    return files.load(options(context).settings)


@contextmanager
def database(settings: "Settings") -> Iterator["Database"]:
    import apsw

    from zcplatform.store.db import Database

    if not settings.database.exists():
        raise Told("database.missing", f"There is no database at {settings.database}", "start the platform once: zcplatform serve")
    try:
        opened = Database(settings.database)
    except apsw.Error as error:
        raise Told("database.unusable", f"{settings.database} can not be opened: {error}", "these verbs are for root on the host") from None
    try:
        yield opened
    finally:
        opened.close()


def root_keys(settings: "Settings", opened: "Database") -> "Keys":
    """Raises Refused when the key file belongs to another database: what is made with it would be good for nothing."""
    from zcplatform.store import instance
    from zcplatform.vault import keys

    found = keys.Keys.of(keys.load(settings.key_file))
    check = opened.read(lambda tx: instance.get(tx, "key_check"))
    if check not in (None, found.check):
        raise Refused("key.wrong", f"{settings.key_file} is not the key of {settings.database}", "name the settings file of this database")
    return found
