"""What host-only verbs open: settings, root key and database of the installation on this host."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from zcplatform import settings as files
from zcplatform.cli.client import Told
from zcplatform.cli.context import options
from zcplatform.settings import Settings
from zcplatform.store.db import Database
from zcplatform.vault import keys
from zcplatform.vault.keys import Keys


def load(context: typer.Context) -> Settings:
    return files.load(options(context).settings)


@contextmanager
def database(settings: Settings) -> Iterator[Database]:
    if not settings.database.exists():
        raise Told("database.missing", f"There is no database at {settings.database}", "start the platform once: zcplatform serve")
    opened = Database(settings.database)
    try:
        yield opened
    finally:
        opened.close()


def root_keys(settings: Settings) -> Keys:
    return Keys.of(keys.load(settings.key_file))
