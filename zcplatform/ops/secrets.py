"""Secrets of a tenant's settings: sealed for the worker, bound to the server they may be sent to, replaced and removed. None is ever returned."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zcplatform.agent import agent_settings, validation
from zcplatform.agent.agent_settings import AgentSettings
from zcplatform.agent.secret_slots import SecretSlot, secret_slots
from zcplatform.core.secret_names import row_of
from zcplatform.errors import NotFound
from zcplatform.ids import TenantId, new_secret_id
from zcplatform.ops.context import Call
from zcplatform.store import secrets
from zcplatform.store.db import Tx
from zcplatform.store.secrets import Secret
from zcplatform.vault.sealing import SecretBinding, hint, seal


@dataclass(frozen=True)
class SecretState:
    """A secret that the settings have a place for. `is_stored`: a value is stored for the server that the settings name now (S-59). `hint`: its last characters."""

    slot: SecretSlot
    is_stored: bool
    error: str | None
    updated_at: str | None
    hint: str | None
    length: int
    """Size of the ciphertext in bytes: an upper bound of the value's length."""


def states(tx: Tx, tenant_id: TenantId, settings: AgentSettings) -> list[SecretState]:
    return [_state(slot, _row(tx, tenant_id, slot.name)) for slot in secret_slots(settings)]


def stored(tx: Tx, tenant_id: TenantId, settings: AgentSettings) -> dict[str, int]:
    """The names of the secrets that have a value the agent gets, and the length of each."""
    return {state.slot.name: state.length for state in states(tx, tenant_id, settings) if state.is_stored}


def bound_elsewhere(tx: Tx, tenant_id: TenantId, settings: AgentSettings, stored: Iterable[str]) -> dict[str, str]:
    """Return path → problem for secrets stored for a server other than the one these settings name. A key is never sent elsewhere."""
    found, there = {}, frozenset(stored)
    for slot in secret_slots(settings):
        row = _row(tx, tenant_id, slot.name)
        if slot.name not in there and row is not None and row.error is None and row.host != (slot.binding or ""):
            where = row.host or "no server in particular"
            found[slot.name] = f"is stored for {where} and is never sent elsewhere; give the value for {slot.binding or 'this'} too"
    return found


def find(settings: AgentSettings, name: str) -> SecretSlot:
    """Return the slot. Raises NotFound: only secrets that the settings have a place for can be stored."""
    for slot in secret_slots(settings):
        if slot.name == name:
            return slot
    raise NotFound("secret.unknown", f"These settings have no secret `{name[:120]}`", "GET /api/tenants/{tenant}/secrets lists their names")


def cleaned(given: Mapping[str, str]) -> dict[str, str]:
    """Strip white space around values, which comes with copying. A text of several lines keeps its final line end."""
    return {name: value.strip() + ("\n" if "\n" in value.strip() and value.endswith("\n") else "") for name, value in given.items()}


def check(settings: AgentSettings, given: Mapping[str, str]) -> None:
    """Raises BadInput with the path of each value that cannot be used; a value itself is never shown."""
    found = _problems(settings, given)
    if found:
        raise agent_settings.settings_error(found)


def put(call: Call, tenant_id: TenantId, settings: AgentSettings, given: Mapping[str, str]) -> None:
    """Store checked values, each in a box that only the worker can open. A new value replaces the previous one."""
    for name, value in given.items():
        slot, (kind, row_name) = find(settings, name), row_of(name)
        before = secrets.get(call.tx, tenant_id, kind, row_name)
        row, version, host = new_secret_id(), 1 if before is None else before.version + 1, slot.binding or ""
        box = seal(call.context.seal_public, SecretBinding(tenant_id, kind, row_name, host, row, version), value)
        secrets.put(call.tx, Secret(row, tenant_id, kind, row_name, host, version, box, None, None, call.at, call.at, hint(value)))


def remove(tx: Tx, tenant_id: TenantId, names: Iterable[str]) -> list[str]:
    """Delete secrets and return the names of those that existed."""
    there = [name for name in names if _row(tx, tenant_id, name) is not None]
    for name in there:
        secrets.remove(tx, tenant_id, *row_of(name))
    return there


def _state(slot: SecretSlot, row: Secret | None) -> SecretState:
    bound = row if row is not None and row.host == (slot.binding or "") else None
    is_stored = bound is not None and bound.error is None
    return SecretState(
        slot,
        is_stored,
        bound.error if bound else None,
        row.updated_at if row else None,
        bound.hint if bound and is_stored else None,
        len(bound.ciphertext or bound.box or b"") if bound else 0,
    )


def _row(tx: Tx, tenant_id: TenantId, name: str) -> Secret | None:
    return secrets.get(tx, tenant_id, *row_of(name))


def _problems(settings: AgentSettings, given: Mapping[str, str]) -> dict[str, str]:
    known = {slot.name: slot for slot in secret_slots(settings)}
    found = {}
    for name, value in given.items():
        why = validation.secret_problem(known[name], value) if name in known else "is not a secret of these settings"
        if why is not None:
            found[name if name in known else f"secrets.{name}"] = why
    return found
