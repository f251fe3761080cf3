"""Open submitted secrets, encrypt them for their row, and decrypt them for rendering. Worker only."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from zcplatform.agent.secret_slots import SecretSlot
from zcplatform.core.audit import Entry
from zcplatform.core.redaction import SHORTEST, Redactor
from zcplatform.core.secret_names import KINDS, row_of
from zcplatform.ids import TenantId, new_secret_id
from zcplatform.store import audit, secrets
from zcplatform.store.db import Tx
from zcplatform.store.secrets import Secret
from zcplatform.vault import opening
from zcplatform.vault.keys import Keys
from zcplatform.vault.opening import CannotOpen
from zcplatform.vault.sealing import SecretBinding


class Secrets:
    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def get(self, tx: Tx, tenant_id: TenantId, kind: str, name: str) -> tuple[str, str] | None:
        """Return (binding, value) of a secret; None if nothing is stored. Raises CannotOpen for a ciphertext that was damaged or moved."""
        secret = secrets.get(tx, tenant_id, kind, name)
        if secret is None or secret.ciphertext is None:
            return None
        wrapped = secrets.data_key(tx, tenant_id)
        if wrapped is None:
            raise CannotOpen
        return secret.host, opening.decrypt(opening.unwrap(self._keys.wrap, tenant_id, wrapped), binding_of(secret), secret.ciphertext)

    def redactor(self, tx: Tx, tenant_id: TenantId) -> Redactor:
        """Return the redactor for everything that the tenant's agent prints or answers."""
        return Redactor(self.values(tx, tenant_id))

    def values(self, tx: Tx, tenant_id: TenantId) -> tuple[str, ...]:
        """Return every value of the tenant that can be decrypted, the longest first, for redaction. Values too short to be a secret are left out."""
        found = []
        for secret in secrets.of_tenant(tx, tenant_id):
            with suppress(CannotOpen):
                found.append(self.get(tx, tenant_id, secret.kind, secret.name))
        return tuple(sorted({value for _, value in filter(None, found) if len(value) >= SHORTEST}, key=len, reverse=True))

    def put(self, tx: Tx, tenant_id: TenantId, kind: str, name: str, value: str, at: str) -> None:
        """Store a secret that the platform created."""
        stored = secrets.get(tx, tenant_id, kind, name)
        version = 1 if stored is None else stored.version + 1
        secret = Secret(new_secret_id(), tenant_id, kind, name, "", version, None, b"", None, at, at)
        ciphertext = opening.encrypt(self._data_key(tx, tenant_id, at), binding_of(secret), value)
        secrets.put(tx, Secret(**{**secret.__dict__, "ciphertext": ciphertext}))

    def open_boxes(self, tx: Tx, at: str, tenant_id: TenantId | None = None) -> None:
        """Move submitted secrets (of one tenant) from their boxes into the vault. A box that does not belong to its row is rejected and audited.

        Only kinds that people may submit are accepted: the platform's own secrets never have a box, so one there was planted.
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
                secrets.refuse(tx, secret, "the sealed box does not belong to this row; submit the secret again", at)
                audit.append(tx, Entry(at, "system:vault", "secret.refuse", secret.id, secret.tenant_id, outcome="refused"))
                continue
            secrets.keep(tx, secret, ciphertext, at)
            audit.append(tx, Entry(at, "system:vault", "secret.keep", secret.id, secret.tenant_id))

    def rebind(self, tx: Tx, tenant_id: TenantId, slots: Iterable[SecretSlot]) -> None:
        """Encrypt secrets for today's binding that were stored before version 0.2, without the scheme of their server.

        Only if the settings in use name the very server that the secret was stored for; if the scheme was changed since, the secret stays unbound.
        """
        for slot in slots:
            row = secrets.get(tx, tenant_id, *row_of(slot.name))
            if row is None or row.ciphertext is None or row.host != (slot.old_binding or "") or row.host == (slot.binding or ""):
                continue
            if any(part.startswith("http://") and part.endswith(":443") for part in (slot.binding or "").split()):
                continue  # it was saved for HTTPS: without a scheme the two looked the same
            with suppress(CannotOpen):
                found = self.get(tx, tenant_id, row.kind, row.name)
                bound = replace(row, host=slot.binding or "")
                if found is not None:
                    ciphertext = opening.encrypt(self._data_key(tx, tenant_id, row.updated_at), binding_of(bound), found[1])
                    secrets.put(tx, replace(bound, ciphertext=ciphertext))

    def _data_key(self, tx: Tx, tenant_id: TenantId, at: str) -> bytes:
        wrapped = secrets.data_key(tx, tenant_id)
        if wrapped is not None:
            return opening.unwrap(self._keys.wrap, tenant_id, wrapped)
        data_key = opening.new_data_key()
        secrets.put_data_key(tx, tenant_id, opening.wrap(self._keys.wrap, tenant_id, data_key), at)
        return data_key


def binding_of(secret: Secret) -> SecretBinding:
    return SecretBinding(secret.tenant_id, secret.kind, secret.name, secret.host, secret.id, secret.version)
