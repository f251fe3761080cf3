"""Secrets of a tenant's settings: sealed for the worker and bound to their host, replaced, taken away, never given back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zcplatform.agent import agent_settings, validation
from zcplatform.agent.agent_settings import AgentSettings
from zcplatform.agent.secret_slots import SecretSlot, secret_slots
from zcplatform.core.secret_names import row_of
from zcplatform.errors import NotFound
from zcplatform.ids import TenantId, new_secret_id
from zcplatform.ops.context import Context
from zcplatform.store import secrets
from zcplatform.store.db import Tx
from zcplatform.store.secrets import Secret
from zcplatform.vault.sealing import SecretBinding, hint, seal


@dataclass(frozen=True)
class State:
    """One place of the settings. `is_stored` also means: for the host that the settings name now (S-59). `hint` is of what is stored."""

    place: SecretSlot
    is_stored: bool
    error: str | None
    updated_at: str | None
    hint: str | None


def states(tx: Tx, tenant_id: TenantId, settings: AgentSettings) -> list[State]:
    found = []
    for place in secret_slots(settings):
        row = _row(tx, tenant_id, place.name)
        kept = row if row is not None and row.host == (place.host or "") else None
        is_stored = kept is not None and kept.error is None
        error, hinted = (kept.error, kept.hint) if kept is not None else (None, None)
        found.append(State(place, is_stored, error, row.updated_at if row else None, hinted if is_stored else None))
    return found


def stored(tx: Tx, tenant_id: TenantId, settings: AgentSettings) -> frozenset[str]:
    return frozenset(state.place.name for state in states(tx, tenant_id, settings) if state.is_stored)


def elsewhere(tx: Tx, tenant_id: TenantId, settings: AgentSettings, stored: frozenset[str]) -> dict[str, str]:
    """By path, the secrets that are kept and not for the server these settings name: no key goes to another one than it was given for."""
    found = {}
    for place in secret_slots(settings):
        row = _row(tx, tenant_id, place.name)
        if place.name not in stored and row is not None and row.error is None and row.host != (place.host or ""):
            found[place.path] = f"is kept for {row.host or 'no server'} and goes to no other; give the value for {place.host or 'this'} too"
    return found


def find(settings: AgentSettings, name: str) -> SecretSlot:
    """Raises NotFound: what the settings have no place for is not stored."""
    for place in secret_slots(settings):
        if place.name == name:
            return place
    raise NotFound(
        "secret.unknown", f"These settings have no place for a secret `{name[:120]}`", "GET /api/tenants/{tenant}/secrets lists the places"
    )


def problems(settings: AgentSettings, given: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with the values, by path; a value is never told."""
    known = {place.name: place for place in secret_slots(settings)}
    found = {}
    for name, value in given.items():
        why = validation.value_problem(known[name], value) if name in known else "is not a secret of these settings"
        if why is not None:
            found[known[name].path if name in known else f"secrets.{name}"] = why
    return found


def put(tx: Tx, context: Context, tenant_id: TenantId, settings: AgentSettings, given: Mapping[str, str], at: str) -> None:
    """Checked before. A box for the worker takes the place of what was there."""
    for name, value in given.items():
        place, (kind, row_name) = find(settings, name), row_of(name)
        before = secrets.get(tx, tenant_id, kind, row_name)
        row, version, host = new_secret_id(), 1 if before is None else before.version + 1, place.host or ""
        box = seal(context.seal_public, SecretBinding(tenant_id, kind, row_name, host, row, version), value)
        secrets.put(tx, Secret(row, tenant_id, kind, row_name, host, version, box, None, None, at, at, hint(value)))


def remove(tx: Tx, tenant_id: TenantId, names: Iterable[str]) -> list[str]:
    """Already gone is success; gives the names of those that were there."""
    there = [name for name in names if _row(tx, tenant_id, name) is not None]
    for name in there:
        secrets.remove(tx, tenant_id, *row_of(name))
    return there


def _row(tx: Tx, tenant_id: TenantId, name: str) -> Secret | None:
    return secrets.get(tx, tenant_id, *row_of(name))


def check(settings: AgentSettings, given: Mapping[str, str]) -> None:
    """Raises BadInput."""
    found = problems(settings, given)
    if found:
        raise agent_settings.settings_error(found)
