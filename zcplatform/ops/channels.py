"""Add, change and remove one channel of a tenant: each is a change of its settings, saved as a revision."""

from collections.abc import Mapping
from typing import Any

from zcplatform.agent import agent_settings
from zcplatform.agent.agent_settings import AgentSettings
from zcplatform.agent.channels import types
from zcplatform.agent.secret_slots import secret_slots
from zcplatform.core.tenant import Tenant
from zcplatform.errors import BadInput, Conflict, NotFound, PlatformError
from zcplatform.ops import config, requests, secrets
from zcplatform.ops.context import Call
from zcplatform.store.operations import Operation

Sent = Mapping[str, Any]
"""`enabled`, `peers`, `ignored`, `options`. Fields that are not sent keep their values."""


def get(settings: AgentSettings, tenant: Tenant, name: str) -> agent_settings.Channel:
    found = settings.channels.get(name)
    if found is None:
        raise NotFound(
            "channel.unknown",
            f"Tenant `{tenant.slug}` has no channel `{name[:80]}`",
            f"GET /api/tenants/{tenant.slug}/channels lists them",
        )
    return found


def add(call: Call, id_or_slug: str, kind: str, alias: str, sent: Sent, given: Mapping[str, str]) -> tuple[Tenant, Operation | None]:
    tenant = requests.require_not_deleting(call.tx, id_or_slug)
    if kind not in types():
        raise BadInput(
            "channel.unknown_type",
            f"`{kind[:40]}` is not a type of channel",
            "GET /api/catalog/channels lists them",
            fields={"type": "unknown"},
        )
    name = f"{kind}.{alias}"
    if name in config.current(call.tx, tenant).channels:
        raise Conflict(
            "channel.exists", f"Tenant `{tenant.slug}` already has a channel `{name}`", "choose another alias, or change that channel"
        )
    return _save(call, tenant, name, sent, given, f"channel {name} added")


def change(call: Call, id_or_slug: str, name: str, sent: Sent, given: Mapping[str, str]) -> tuple[Tenant, Operation | None]:
    tenant = requests.require_not_deleting(call.tx, id_or_slug)
    get(config.current(call.tx, tenant), tenant, name)
    return _save(call, tenant, name, sent, given, f"channel {name}")


def remove(call: Call, id_or_slug: str, name: str) -> tuple[Tenant, Operation | None]:
    """Its secrets are deleted once the settings without it have proven good; until then the change can be rolled back."""
    tenant = requests.require_not_deleting(call.tx, id_or_slug)
    settings = config.current(call.tx, tenant)
    get(settings, tenant, name)
    if tenant.last_good_revision is None:
        secrets.remove(call.tx, tenant.id, [slot.name for slot in secret_slots(settings) if slot.name.startswith(f"channels.{name}.")])
    return config.patch(call, tenant.id, {"channels": {name: None}}, {}, f"channel {name} removed")


def _save(call: Call, tenant: Tenant, name: str, sent: Sent, given: Mapping[str, str], note: str) -> tuple[Tenant, Operation | None]:
    values = {f"channels.{name}.{field}": value for field, value in given.items()}
    try:
        return config.patch(call, tenant.id, {"channels": {name: dict(sent)}}, values, note)
    except PlatformError as error:
        raise config.renamed(error, f"channels.{name}.", "") from None
