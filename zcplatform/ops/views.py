"""Read what the API shows, in a fixed number of statements however many rows are shown.

Every type here may be kept for a retry (`ops.replays`), so none holds a secret, a hash or a token.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from zcplatform.agent import agent_settings
from zcplatform.agent.agent_settings import MAIN
from zcplatform.agent.secret_slots import secret_slots
from zcplatform.core.secret_names import row_of
from zcplatform.core.tenant import Tenant
from zcplatform.store import drifts, images, machines, members, operations, revisions, secrets
from zcplatform.store.db import Tx
from zcplatform.store.images import Image as Image
from zcplatform.store.members import Person as Person
from zcplatform.store.operations import Operation as Operation
from zcplatform.store.operations import OperationStep
from zcplatform.store.plans import Plan as Plan
from zcplatform.store.users import User as User

MAIN_KEY = f"providers.{MAIN}.api_key"
KNOWN_SETTINGS = 512
"""How many revisions' main providers are cached; revisions never change."""


@dataclass(frozen=True)
class ProviderView:
    """The main provider of the settings that a tenant runs with. `has_key`: a key is stored for the host that they name."""

    family: str
    model: str
    base_url: str | None
    has_key: bool


@dataclass(frozen=True)
class TenantView:
    tenant: Tenant
    image: Image | None
    rejected_image: Image | None
    provider: ProviderView | None
    has_drift: bool
    machine: str = ""
    """Its name."""


@dataclass(frozen=True)
class OperationView:
    operation: Operation
    steps: list[OperationStep]


@dataclass(frozen=True)
class UserView:
    """`only_owner_of`: slugs of the tenants that have no other owner who can sign in."""

    user: User
    only_owner_of: list[str]


@dataclass(frozen=True)
class MemberList:
    items: list[Person]


@dataclass(frozen=True)
class PlanView:
    plan: Plan


@dataclass(frozen=True)
class InvitationView:
    id: str
    email: str
    role: str
    inviter: str
    created_at: str
    expires_at: str


@dataclass(frozen=True)
class CreatedInvitation:
    """`token` is returned to the sender only if it cannot be mailed. The outcome is then a credential, and is not stored."""

    invitation: InvitationView
    token: str | None


@dataclass(frozen=True)
class Joined:
    """The tenant whose invitation was accepted, and the role there."""

    tenant_id: str
    role: str


@dataclass(frozen=True)
class Ended:
    """How many sessions ended."""

    ended: int


KEPT: dict[str, type] = {
    kind.__name__: kind
    for kind in (TenantView, OperationView, User, UserView, MemberList, PlanView, InvitationView, CreatedInvitation, Joined, Ended)
}
"""The types that are kept for a retry."""


def tenant(tx: Tx, row: Tenant) -> TenantView:
    return tenants(tx, [row])[0]


def tenants(tx: Tx, rows: Sequence[Tenant]) -> list[TenantView]:
    ids = [row.id for row in rows]
    named = images.by_ids(tx, {image_id for row in rows for image_id in (row.image, row.rejected_image_id) if image_id})
    drifted = drifts.undecided(tx, ids)
    texts = revisions.settings_of(tx, {row.id: row.revision for row in rows})
    machine_names = machines.names_by_id(tx)
    hosts = secrets.hosts(tx, *row_of(MAIN_KEY), ids)
    return [
        TenantView(
            tenant=row,
            image=named.get(row.image or ""),
            rejected_image=named.get(row.rejected_image_id or ""),
            provider=_provider(texts.get(row.id, "{}"), hosts.get(row.id)),
            has_drift=row.id in drifted,
            machine=machine_names.get(row.node_id, row.node_id),
        )
        for row in rows
    ]


def accepted(tx: Tx, row: Tenant, requested: Operation | None) -> "TenantView | OperationView":
    """What a change of a tenant returns: the operation that was requested, or the tenant where there is nothing to do."""
    return tenant(tx, row) if requested is None else operation(tx, requested)


def operation(tx: Tx, row: Operation) -> OperationView:
    return OperationView(row, operations.steps_of(tx, row.id))


def list_operations(tx: Tx, rows: Sequence[Operation]) -> list[OperationView]:
    steps = operations.steps_of_all(tx, [row.id for row in rows])
    return [OperationView(row, steps.get(row.id, [])) for row in rows]


def user(tx: Tx, row: User) -> UserView:
    return UserView(row, members.owned_alone(tx, row.id))


def _provider(settings: str, stored_for: str | None) -> ProviderView | None:
    main = _main_provider(settings)
    if main is None:
        return None
    family, model, base_url, host = main
    return ProviderView(family, model, base_url, has_key=host is not None and host == stored_for)


@lru_cache(maxsize=KNOWN_SETTINGS)
def _main_provider(text: str) -> tuple[str, str, str | None, str | None] | None:
    """Family, model, base URL and the host that its key is for; the last is None where the settings have no place for a key."""
    settings = agent_settings.parse(json.loads(text))
    main = settings.providers.get(MAIN)
    if main is None:
        return None
    slot = next((slot for slot in secret_slots(settings) if slot.name == MAIN_KEY), None)
    return main.family, main.model, main.base_url, None if slot is None else slot.binding or ""
