"""Rotate the root key, step by step. If it is killed at any point, the next call or the next start continues.

  prepare   the new key is written beside the old one and synced
  rewrap    one transaction: wrap data keys again (with `deep`: new ones, and encrypt each secret again), seal boxes again, replace the check record
  switch    the new key replaces the old one
  finish    empty the write-ahead log of old ciphertexts; anchor the change of signer

It cannot run while `zcplatform serve` runs, which holds the old key. Agents keep running. Tokens stay valid, because their pepper is carried over. Sessions do not:
the keys that sign them are new.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zcplatform import clock
from zcplatform.core.audit import Entry
from zcplatform.errors import CannotRun
from zcplatform.failpoint import failpoint
from zcplatform.ids import TenantId
from zcplatform.settings import Settings
from zcplatform.store import audit, instance, outbox, secrets
from zcplatform.store.db import Database, Tx
from zcplatform.vault import keys as key_files
from zcplatform.vault import opening, sealed_mail, sealing, sources
from zcplatform.vault.keys import Keys
from zcplatform.vault.opening import CannotOpen
from zcplatform.vault.sources import Stretch
from zcplatform.worker import anchors, root_key
from zcplatform.worker.root_key import RootKey
from zcplatform.worker.secrets import Secrets, binding_of


@dataclass(frozen=True)
class Rotated:
    """The outcome. `unreadable`: data keys and secrets that could not be decrypted with the old key either, and were left as they are."""

    tenants: int
    secrets: int
    unreadable: int
    finished_earlier: bool = False


@dataclass
class _Count:
    tenants: int = 0
    secrets: int = 0
    unreadable: int = 0


def rotate(settings: Settings, *, deep: bool, to: Path | None) -> Rotated:
    """Rotate the key. `to` is where the new key is written for key_source = credential; the operator makes a credential from it. Raises CannotRun."""
    if not settings.database.exists():
        raise CannotRun("database.missing", f"There is no database at {settings.database}", "Start the platform once: zcplatform serve")
    if (settings.key_source == "credential") != (to is not None):
        raise CannotRun(
            "key.to",
            "The option --to is required with key_source = credential, and is not allowed otherwise",
            "Add --to PATH with key_source = credential. Leave it out otherwise",
        )
    if to is not None and to.exists() and Keys.of(key_files.load(to)).check == root_key.key_record(settings.database).check:
        with _opened(settings) as database:
            _finish(settings, Keys.of(key_files.load(to)), database)
        return Rotated(0, 0, 0, finished_earlier=True)
    obtained, change = _old_and_new(settings, to)
    with _opened(settings) as database:
        if change is None:
            _finish(settings, obtained.keys, database)
            return Rotated(0, 0, 0, finished_earlier=True)
        new, stretch = change()
        failpoint("rotate.rewrap.before")
        counted = database.write_now(lambda tx: _rewrap(tx, settings, obtained.keys, new, stretch, deep=deep))
        failpoint("rotate.rewrap.after")
        if settings.key_source == "file":
            root_key.install_next_key(settings)
        failpoint("rotate.switch.after")
        _finish(settings, new, database)
    return Rotated(counted.tenants, counted.secrets, counted.unreadable)


def _old_and_new(settings: Settings, to: Path | None) -> tuple[RootKey, Callable[[], tuple[Keys, Stretch | None]] | None]:
    """Return the current keys and the source of the next ones; None if an interrupted rotation has just been completed."""
    if settings.key_source == "passphrase":
        told = root_key.key_record(settings.database)
        old, new, again = sources.passphrases(["Passphrase", "New passphrase", "Again"])
        if sources.checked(new) != again:
            raise CannotRun("key.passphrase", "The two new passphrases differ", "Start again")
        after = Stretch.new()
        return root_key.with_passphrase(settings, told, old), lambda: (Keys.of(after.key(new)), after)
    obtained = root_key.obtain(settings)
    path = to or root_key.next_key_file(settings)
    return obtained, None if obtained.finished else lambda: (Keys.of(_prepared(path)), None)


def _prepared(path: Path) -> bytes:
    """Return the next key, saved to disk. A complete one of an earlier call is used again; an incomplete one is not in use anywhere."""
    failpoint("rotate.prepare.before")
    if path.exists():
        try:
            return key_files.load(path)
        except CannotRun as refused:
            if refused.code != "key.malformed":
                raise
            path.unlink()
    made = key_files.create(path)
    failpoint("rotate.prepare.after")
    return made


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database)
    try:
        yield database
    finally:
        database.close()


def _rewrap(tx: Tx, settings: Settings, old: Keys, new: Keys, stretch: Stretch | None, *, deep: bool) -> _Count:
    at, count = clock.text(clock.now()), _Count()
    Secrets(old).open_boxes(tx, at)
    for tenant_id, wrapped in secrets.data_keys(tx):
        try:
            data_key = opening.unwrap(old.wrap, tenant_id, wrapped)
        except CannotOpen:
            count.unreadable += 1
            continue
        if deep:
            data_key = _encrypted_again(tx, tenant_id, data_key, at, count)
        secrets.rewrap_data_key(tx, tenant_id, opening.wrap(new.wrap, tenant_id, data_key))
        count.tenants += 1
    for message in outbox.waiting(tx):
        where = sealed_mail.binding(message.id, message.kind, message.recipient, message.expires_at)
        try:
            value = opening.open_box(old.seal_private, where, message.box or b"")
        except CannotOpen:
            continue  # the mail loop deletes it
        outbox.rebox(tx, message.id, sealing.seal(new.seal_public, where, value))
    root_key.put_key_record(tx, new, stretch)
    instance.put(tx, root_key.PEPPER, opening.wrap_previous(new.wrap, root_key.PEPPER, old.token_pepper).hex())
    changes = {
        "deep": [None, deep],
        "tenants": [None, count.tenants],
        "secrets": [None, count.secrets],
        "unreadable": [None, count.unreadable],
    }
    audit.append(tx, Entry(at, "host:root", "key.rotate", settings.key_source, changes=changes))
    anchors.put_change(tx, settings, old, new, at)
    failpoint("rotate.rewrap.within")
    return count


def _encrypted_again(tx: Tx, tenant_id: TenantId, data_key: bytes, at: str, count: _Count) -> bytes:
    """Encrypt all secrets of a tenant with a new data key and return it."""
    fresh = opening.new_data_key()
    for secret in secrets.of_tenant(tx, tenant_id):
        if secret.ciphertext is None:
            continue
        try:
            value = opening.decrypt(data_key, binding_of(secret), secret.ciphertext)
        except CannotOpen:
            secrets.refuse(tx, secret, "the stored secret was damaged; submit it again", at)
            count.unreadable += 1
            continue
        secrets.reencrypt(tx, secret, opening.encrypt(fresh, binding_of(secret), value))
        count.secrets += 1
    return fresh


def _finish(settings: Settings, keys: Keys, database: Database) -> None:
    anchors.deliver_change(settings, keys, database)
    database.truncate_log()
    failpoint("rotate.finish.after")
