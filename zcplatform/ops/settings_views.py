"""Read what the API shows of a tenant's settings: configuration, secrets, channels, drift and revisions."""

from dataclasses import dataclass
from typing import Any

from zcplatform.agent import rendering
from zcplatform.agent.channels import types
from zcplatform.core.differences import Difference
from zcplatform.core.roles import Permission
from zcplatform.core.tenant import Tenant
from zcplatform.ops import access, config, drift, revisions, secrets
from zcplatform.ops.context import Call
from zcplatform.ops.secrets import SecretState
from zcplatform.store import plans
from zcplatform.store import revisions as revision_rows
from zcplatform.store.db import require
from zcplatform.store.revisions import Revision as Revision


@dataclass(frozen=True)
class SecretView:
    """`hint`: the last characters of the stored value, only for callers who may replace it."""

    name: str
    host: str | None
    is_needed: bool
    is_stored: bool
    error: str | None
    updated_at: str | None
    hint: str | None


@dataclass(frozen=True)
class ConfigView:
    """`unpriced`: models without a price, as `family/model`."""

    revision: int
    settings: dict[str, Any]
    secrets: list[SecretView]
    unpriced: list[str]


@dataclass(frozen=True)
class ChannelView:
    name: str
    label: str
    settings: dict[str, Any]
    secrets: dict[str, bool]
    webhook_url: str | None
    """The URL that the channel's service must call."""


@dataclass(frozen=True)
class DriftView:
    """`changes`: path, as rendered, as found, whether it can be kept."""

    revision: int
    found_at: str
    changes: list[tuple[str, Any, Any, bool]]


@dataclass(frozen=True)
class RevisionView:
    revision: Revision
    is_current: bool


def show_config(call: Call, tenant: str) -> ConfigView:
    row = access.find(call.tx, tenant)
    settings = config.current(call.tx, row)
    return ConfigView(
        revision=row.revision,
        settings=settings.model_dump(mode="json"),
        secrets=_secrets(call, row),
        unpriced=config.unpriced(call.context, require(plans.get(call.tx, row.plan)), settings),
    )


def list_secrets(call: Call, tenant: str) -> list[SecretView]:
    return _secrets(call, access.find(call.tx, tenant))


def list_channels(call: Call, tenant: str) -> tuple[list[ChannelView], int]:
    """The channels, and how many the plan allows."""
    row = access.find(call.tx, tenant)
    settings = config.current(call.tx, row)
    stored = {state.slot.name: state.is_stored for state in secrets.states(call.tx, row.id, settings)}
    found = []
    for name, channel in settings.channels.items():
        before = f"channels.{name}."
        own = {slot.removeprefix(before): has for slot, has in stored.items() if slot.startswith(before)}
        path = rendering.path_of(settings, name) if channel.enabled else None
        url = None if path is None else call.context.settings.tenant_url(row.slug).rstrip("/") + path
        found.append(ChannelView(name, types()[name.partition(".")[0]].label, channel.model_dump(mode="json"), own, url))
    return found, require(plans.get(call.tx, row.plan)).channels


def show_drift(call: Call, tenant: str) -> DriftView | None:
    found = drift.get(call.tx, access.find(call.tx, tenant))
    if found is None:
        return None
    changes = [(path, rendered, now, path in found.keepable) for path, (rendered, now) in sorted(found.changes.items())]
    return DriftView(found.drift.revision, found.drift.found_at, changes)


def list_revisions(call: Call, tenant: str, below: int | None, limit: int) -> tuple[list[RevisionView], int]:
    """Newest first, and how many there are."""
    row = access.find(call.tx, tenant)
    found = [_revision(row, revision) for revision in revision_rows.of_tenant(call.tx, row.id, below, limit)]
    return found, revision_rows.last_number(call.tx, row.id)


def show_revision(call: Call, tenant: str, number: int) -> tuple[RevisionView, dict[str, Any]]:
    """The revision with its settings."""
    row = access.find(call.tx, tenant)
    revision = revisions.get(call.tx, row, number)
    return _revision(row, revision), revisions.settings(revision)


def compare_revisions(call: Call, tenant: str, number: int, other: int | None) -> tuple[int, Difference]:
    return revisions.against(call.tx, access.find(call.tx, tenant), number, other)


def _revision(row: Tenant, revision: Revision) -> RevisionView:
    return RevisionView(revision, revision.number == row.revision)


def _secrets(call: Call, row: Tenant) -> list[SecretView]:
    return [_secret(call, state) for state in secrets.states(call.tx, row.id, config.current(call.tx, row))]


def _secret(call: Call, state: SecretState) -> SecretView:
    return SecretView(
        name=state.slot.name,
        host=state.slot.binding,
        is_needed=state.slot.is_needed,
        is_stored=state.is_stored,
        error=state.error,
        updated_at=state.updated_at,
        hint=state.hint if call.actor.may(Permission.SECRET_WRITE) else None,
    )
