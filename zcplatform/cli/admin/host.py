"""What host-only verbs open: settings, root key and database of the installation on this host. Loaded when one is run, not before."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from zcplatform.cli.context import options
from zcplatform.cli.errors import CommandError

if TYPE_CHECKING:
    from zcplatform.settings import Settings
    from zcplatform.store.db import Database
    from zcplatform.vault.keys import Keys


def load(context: typer.Context) -> "Settings":
    from zcplatform import memory
    from zcplatform import settings as files

    memory.never_dumped()  # most of these verbs hold the root key
    return files.load(options(context).settings)


@contextmanager
def database(settings: "Settings") -> Iterator["Database"]:
    import apsw

    from zcplatform.store.db import Database

    if not settings.database.exists():
        raise CommandError("database.missing", f"There is no database at {settings.database}", "start the platform once: zcplatform serve")
    try:
        opened = Database(settings.database)
    except apsw.Error as error:
        raise CommandError(
            "database.unusable", f"{settings.database} can not be opened: {error}", "these verbs are for root on the host"
        ) from None
    try:
        yield opened
    finally:
        opened.close()


def root_keys(settings: "Settings") -> "Keys":
    """Raises CannotRun when the root key belongs to another database: what is made with it would be good for nothing."""
    from zcplatform.worker import root_key

    return root_key.obtain(settings).keys
