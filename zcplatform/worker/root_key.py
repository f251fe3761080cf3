"""Read the root key from the configured source and check it against the database before anything is changed.

The check record distinguishes a wrong key (refused here) from damage (an error of the one damaged secret). A rotation that was killed between
the database and the key file is completed here: the key that the database names is next to the old one.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import apsw

from zcplatform.errors import CannotRun
from zcplatform.log import logger
from zcplatform.settings import Settings
from zcplatform.store import instance
from zcplatform.store.db import Tx, open_read_only
from zcplatform.vault import keys as key_files
from zcplatform.vault import opening, sources
from zcplatform.vault.keys import Keys
from zcplatform.vault.opening import CannotOpen
from zcplatform.vault.sources import Stretch

CHECK, STRETCH, PEPPER = "key_check", "key_stretch", "kept_token_pepper"


@dataclass(frozen=True)
class KeyRecord:
    """What the database records about its key. None of it can decrypt anything."""

    check: str | None = None
    stretch: str | None = None
    pepper: str | None = None


@dataclass(frozen=True)
class RootKey:
    """The keys. `finished`: an interrupted rotation was completed by this call."""

    keys: Keys
    stretch: Stretch | None = None
    finished: bool = False


def obtain(settings: Settings, *, make: bool = False) -> RootKey:
    """Return the keys. Raises CannotRun if the root key is missing, unsafe, or of another database. With `make`, a new installation gets one."""
    record = key_record(settings.database)
    match settings.key_source:
        case "file":
            root, finished = _from_file(settings, record, make=make)
            return RootKey(_keys(settings, root, record), finished=finished)
        case "credential":
            return RootKey(_keys(settings, key_files.load(sources.credential()), record))
        case "passphrase":
            if record.check is None:
                first, second = sources.passphrases(["New passphrase", "Again"])
                if first != second:
                    raise CannotRun("key.passphrase", "The two passphrases differ", "Start again")
                sources.checked(first)
            else:
                (first,) = sources.passphrases(["Passphrase"])
            return with_passphrase(settings, record, first)


def with_passphrase(settings: Settings, record: KeyRecord, passphrase: bytes) -> RootKey:
    """Check a root key against the database's record. Raises CannotRun if it is wrong."""
    stretch = Stretch.parse(record.stretch) if record.stretch else Stretch.new()
    return RootKey(_keys(settings, stretch.key(passphrase), record), stretch)


def key_record(database: Path) -> KeyRecord:
    """Read the record. The database is opened read-only, or its write-ahead log would be written back."""
    if not database.exists():
        return KeyRecord()
    try:
        with open_read_only(database) as tx:
            return KeyRecord(instance.get(tx, CHECK), instance.get(tx, STRETCH), instance.get(tx, PEPPER))
    except apsw.SQLError:
        return KeyRecord()  # no schema yet: the first start was killed before it was written
    except apsw.Error as error:
        raise CannotRun("database.unusable", f"{database} cannot be used: {error}", "Restore it from a backup") from None


def put_key_record(tx: Tx, keys: Keys, stretch: Stretch | None) -> None:
    """Record which key this database belongs to."""
    instance.put(tx, CHECK, keys.check)
    if stretch is not None:
        instance.put(tx, STRETCH, stretch.text())


def next_key_file(settings: Settings) -> Path:
    """Return the path of the next key during a rotation."""
    return settings.key_file.with_name(settings.key_file.name + ".next")


def install_next_key(settings: Settings) -> None:
    """Replace the old key by the next one, atomically."""
    next_key_file(settings).replace(settings.key_file)
    folder = os.open(settings.key_file.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(folder)
    os.close(folder)


def _from_file(settings: Settings, record: KeyRecord, *, make: bool) -> tuple[bytes, bool]:
    """Read the key file, or create it if the database records no key. If it records one, a new key could not decrypt its secrets."""
    if make and not settings.key_file.exists() and record.check is None:
        logger.info("created a new root key; keep a copy of it in another place than the data", path=settings.key_file)
        return key_files.create(settings.key_file), False
    root = key_files.load(settings.key_file)
    if record.check in (None, Keys.of(root).check) or not next_key_file(settings).exists():
        return root, False
    after = key_files.load(next_key_file(settings))
    if Keys.of(after).check != record.check:
        return root, False
    install_next_key(settings)
    logger.info("completed an interrupted rotation of the root key", path=str(settings.key_file))
    return after, True


def _keys(settings: Settings, root: bytes, record: KeyRecord) -> Keys:
    keys = Keys.of(root)
    if record.check not in (None, keys.check):
        named = str(settings.key_file) if settings.key_source == "file" else f"the {settings.key_source}"
        raise CannotRun(
            "key.wrong", f"{named} is not the key of {settings.database}", "Restore the key that belongs to it. Nothing was changed"
        )
    if record.pepper is None:
        return keys
    try:
        return keys.with_pepper(opening.unwrap_previous(keys.wrap, PEPPER, bytes.fromhex(record.pepper)))
    except (CannotOpen, ValueError):
        raise CannotRun("key.damaged", f"{settings.database} is damaged (the key is right)", "Restore it from a backup") from None
