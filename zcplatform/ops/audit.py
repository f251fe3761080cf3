"""Reading the audit log: super-admins read all of it, and that is audited; owners read their tenant's part."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass

from zcplatform import clock
from zcplatform.core.audit import Entry
from zcplatform.errors import BadInput
from zcplatform.ids import TenantId
from zcplatform.ops import access
from zcplatform.ops.context import Call, Caller
from zcplatform.store import audit, invitations, tenants, users
from zcplatform.store.audit import Filter as Filter
from zcplatform.store.audit import Stored
from zcplatform.store.db import Tx

PAGE = 500
ABOUT_PEOPLE = frozenset({"user", "member", "invitation", "link", "session", "code"})


@dataclass(frozen=True)
class AuditView:
    """`people`: the present addresses of the users and invitations that the entry names. The hash does not cover them."""

    sequence: int
    entry: Entry
    hash: str
    people: dict[str, str]


def filtered(actor: str, action: str, subject: str, since: str, until: str) -> Filter:
    """Raises BadInput for a time that cannot be read."""
    return Filter("", actor, action, subject, _time("since", since), _time("until", until))


async def record_reading(caller: Caller, wanted: Filter, form: str, tenant: str) -> str:
    """Audit that a super-admin reads the log (of one tenant: its owners see it) before they get it.

    Returns the id of that tenant, which may be deleted, or the empty text for all. Raises NotFound for one that never existed.
    """
    actor, tenant_id = caller.actor, ""
    if tenant:
        actor = caller.read(lambda call: access.enter(call.tx, caller.actor, _also_deleted(call.tx, tenant), tenant))
        actor.need_reason()
        tenant_id = actor.tenant_id or ""
    filters = {name: value for name, value in asdict(wanted).items() if value}
    entry = actor.entry(clock.text(clock.now()), "audit.read", form, tenant_id, filters=filters)
    await caller.context.database.write(lambda tx: audit.append(tx, entry))
    return tenant_id


def page(call: Call, wanted: Filter, before: int | None, limit: int) -> list[AuditView]:
    """Newest first."""
    return _views(call.tx, audit.page(call.tx, wanted, before, limit))


async def export(caller: Caller, wanted: Filter) -> AsyncIterator[list[AuditView]]:
    """Yield all entries that existed at the beginning, oldest first. Ends with an error if the caller loses the permission."""
    newest, _ = caller.read(lambda call: audit.head(call.tx))
    seen = 0
    while True:
        rows = caller.read(lambda call: _next_page(call, wanted, seen, newest))  # noqa: B023
        if rows:
            yield rows
        if len(rows) < PAGE:
            return
        seen = rows[-1].sequence


def _next_page(call: Call, wanted: Filter, seen: int, newest: int) -> list[AuditView]:
    access.confirm(call.tx, call.actor, call.at)
    return _views(call.tx, [row for row in audit.after(call.tx, wanted, seen, PAGE) if row.sequence <= newest])


def _also_deleted(tx: Tx, id_or_slug: str) -> TenantId:
    deleted = tenants.get(tx, TenantId(id_or_slug))
    return deleted.id if deleted is not None else access.find(tx, id_or_slug).id


def _views(tx: Tx, rows: list[Stored]) -> list[AuditView]:
    people = _people(tx, rows)
    return [
        AuditView(row.sequence, row.entry, row.hash.hex(), {id_: people[id_] for id_ in sorted(ids_of(row.entry)) if id_ in people})
        for row in rows
    ]


def _people(tx: Tx, rows: Iterable[Stored]) -> dict[str, str]:
    """Present addresses of the users and invitations that these entries name; a deleted user has none.

    Only fields in which the platform writes ids are looked up, because a name that a person chose could look like an id.
    """
    found: dict[str, str] = {}
    for named in {each for row in rows for each in ids_of(row.entry)}:
        address = invitations.address(tx, named) if named.startswith("inv_") else _address(users.get(tx, named))
        if address is not None:
            found[named] = address
    return found


def ids_of(entry: Entry) -> set[str]:
    first, _, rest = entry.actor.partition(" ")
    subject = entry.object if entry.action.partition(".")[0] in ABOUT_PEOPLE else ""
    return {each for each in (first, rest.rpartition(" ")[2], subject) if each.startswith(("usr_", "inv_"))}


def _address(user: users.User | None) -> str | None:
    return None if user is None else user.email


def _time(name: str, value: str) -> str:
    """Convert to the log's form, in which texts sort like times."""
    if not value:
        return ""
    try:
        return clock.text(clock.parse(value))
    except ValueError:
        why = "is not a time"
        raise BadInput("audit.time", f"`{name}` {why}", "for example 2026-01-31T00:00:00Z", fields={name: why}) from None
