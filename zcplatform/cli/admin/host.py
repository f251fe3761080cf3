"""What commands on the host open: settings, root key and database of this installation. Loaded when a command runs, not before."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from zcplatform.cli.errors import CommandError
from zcplatform.cli.global_options import given

if TYPE_CHECKING:
    from zcplatform.settings import Settings
    from zcplatform.store.db import Database
    from zcplatform.vault.keys import Keys


def load(context: typer.Context) -> "Settings":
    from zcplatform import memory
    from zcplatform import settings as files

    memory.never_dumped()  # most of these commands hold the root key
    return files.load(given(context).settings)


@contextmanager
def database(settings: "Settings") -> Iterator["Database"]:
    import apsw

    from zcplatform.store.db import Database

    if not settings.database.exists():
        raise CommandError("database.missing", f"There is no database at {settings.database}", "Start the platform once: zcplatform serve")
    try:
        opened = Database(settings.database)
    except apsw.Error as error:
        raise CommandError(
            "database.unusable", f"{settings.database} cannot be opened: {error}", "Run the command as root on the host."
        ) from None
    try:
        yield opened
    finally:
        opened.close()


def root_keys(settings: "Settings") -> "Keys":
    """Raises CannotRun when the root key belongs to another database: whatever it signs or hashes would be useless."""
    from zcplatform.worker import root_key

    return root_key.obtain(settings).keys
