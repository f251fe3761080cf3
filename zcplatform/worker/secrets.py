"""Secrets between the database and the vault: boxes opened, values encrypted for their place, read for rendering. Worker only."""

from contextlib import suppress

from zcplatform.core.audit import Entry
from zcplatform.core.secret_names import KINDS
from zcplatform.ids import TenantId, new_secret_id
from zcplatform.store import audit, secrets
from zcplatform.store.db import Tx
from zcplatform.store.secrets import Secret
from zcplatform.vault import opening
from zcplatform.vault.keys import Keys
from zcplatform.vault.opening import CannotOpen
from zcplatform.vault.sealing import SecretBinding

SHORTEST = 6


class Secrets:
    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def get(self, tx: Tx, tenant_id: TenantId, kind: str, name: str) -> tuple[str, str] | None:
        """(host, value). Raises CannotOpen for a ciphertext that was damaged or moved."""
        secret = secrets.get(tx, tenant_id, kind, name)
        if secret is None or secret.ciphertext is None:
            return None
        wrapped = secrets.data_key(tx, tenant_id)
        if wrapped is None:
            raise CannotOpen
        return secret.host, opening.decrypt(opening.unwrap(self._keys.wrap, tenant_id, wrapped), binding_of(secret), secret.ciphertext)

    def values(self, tx: Tx, tenant_id: TenantId) -> tuple[str, ...]:
        """All that can be opened, the longest first: to strike them out of a text. What is too short to be a secret is left out."""
        found = []
        for secret in secrets.of_tenant(tx, tenant_id):
            with suppress(CannotOpen):
                found.append(self.get(tx, tenant_id, secret.kind, secret.name))
        return tuple(sorted({value for _, value in filter(None, found) if len(value) >= SHORTEST}, key=len, reverse=True))

    def put(self, tx: Tx, tenant_id: TenantId, kind: str, name: str, value: str, at: str) -> None:
        """A secret that the platform made itself."""
        stored = secrets.get(tx, tenant_id, kind, name)
        version = 1 if stored is None else stored.version + 1
        secret = Secret(new_secret_id(), tenant_id, kind, name, "", version, None, b"", None, at, at)
        ciphertext = opening.encrypt(self._data_key(tx, tenant_id, at), binding_of(secret), value)
        secrets.put(tx, Secret(**{**secret.__dict__, "ciphertext": ciphertext}))

    def open_boxes(self, tx: Tx, at: str, tenant_id: TenantId | None = None) -> None:
        """Move submitted secrets (of one tenant) from their boxes into the vault; a box that does not belong to its row is refused and told.

        Only what people may submit: secrets of our own making have no box, so one that has was planted.
        """
        for secret in secrets.boxed(tx):
            if tenant_id is not None and secret.tenant_id != tenant_id:
                continue
            try:
                if secret.kind not in KINDS:
                    raise CannotOpen
                value = opening.open_box(self._keys.seal_private, binding_of(secret), secret.box or b"")
                ciphertext = opening.encrypt(self._data_key(tx, secret.tenant_id, at), binding_of(secret), value)
            except CannotOpen:
                secrets.refuse(tx, secret, "the sealed box does not belong here; submit the secret again", at)
                audit.append(tx, Entry(at, "system:vault", "secret.refuse", secret.id, secret.tenant_id, outcome="refused"))
                continue
            secrets.keep(tx, secret, ciphertext, at)
            audit.append(tx, Entry(at, "system:vault", "secret.keep", secret.id, secret.tenant_id))

    def _data_key(self, tx: Tx, tenant_id: TenantId, at: str) -> bytes:
        wrapped = secrets.data_key(tx, tenant_id)
        if wrapped is not None:
            return opening.unwrap(self._keys.wrap, tenant_id, wrapped)
        data_key = opening.new_data_key()
        secrets.put_data_key(tx, tenant_id, opening.wrap(self._keys.wrap, tenant_id, data_key), at)
        return data_key


def binding_of(secret: Secret) -> SecretBinding:
    return SecretBinding(secret.tenant_id, secret.kind, secret.name, secret.host, secret.id, secret.version)
