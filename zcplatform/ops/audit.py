"""The audit log as it may be read: whole by super-admins, whose reading is itself told, one tenant's by its owners."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict

from zcplatform import clock
from zcplatform.core.audit import Entry
from zcplatform.errors import BadInput
from zcplatform.ids import TenantId
from zcplatform.ops import access
from zcplatform.ops.context import Actor, Context
from zcplatform.store import audit, invitations, tenants, users
from zcplatform.store.audit import Question, Stored
from zcplatform.store.db import Tx

PAGE = 500
ABOUT_PEOPLE = frozenset({"user", "member", "invitation", "link", "session", "code"})


def asked(tenant_id: str, actor: str, action: str, subject: str, since: str, until: str) -> Question:
    """Raises BadInput for a time that is none."""
    return Question(tenant_id, actor, action, subject, _time("since", since), _time("until", until))


async def told(context: Context, actor: Actor, question: Question, form: str, tenant: str) -> str:
    """That a super-admin reads the whole log, or one tenant's (whose owners see it), and what he asked for, before he gets it.

    Gives the id of that tenant, which may be deleted; the empty text for all. Raises NotFound for one that never was.
    """
    tenant_id = ""
    if tenant:
        actor = context.database.read(lambda tx: access.enter(tx, actor, _any(tx, tenant), tenant))
        actor.need_reason()
        tenant_id = actor.tenant_id or ""
    wanted = {name: value for name, value in asdict(question).items() if value}
    entry = actor.entry(clock.text(clock.now()), "audit.read", form, tenant_id, asked=wanted)
    await context.database.write(lambda tx: audit.append(tx, entry))
    return tenant_id


def _any(tx: Tx, id_or_slug: str) -> TenantId:
    """Also one that is deleted, by its id."""
    deleted = tenants.get(tx, TenantId(id_or_slug))
    return deleted.id if deleted is not None else access.find(tx, id_or_slug).id


async def export(context: Context, actor: Actor, question: Question) -> AsyncIterator[list[Stored]]:
    """All of it, oldest first, page by page up to what was there at the beginning; ends with an error when the asker's rights end."""
    newest, _ = context.database.read(audit.head)
    seen = 0
    while True:
        at = clock.text(clock.now())
        context.database.read(lambda tx: access.again(tx, actor, at))  # noqa: B023
        found = context.database.read(lambda tx: audit.after(tx, question, seen, PAGE))  # noqa: B023
        rows = [row for row in found if row.sequence <= newest]
        if rows:
            yield rows
        if len(rows) < PAGE:
            return
        seen = rows[-1].sequence


def people(tx: Tx, rows: Iterable[Stored]) -> dict[str, str]:
    """Addresses, as they are now, of the users and invitations that these entries name; who was deleted has none.

    Only where the program itself put the id: names that people chose lead nowhere.
    """
    found: dict[str, str] = {}
    for named in {one for row in rows for one in ids_of(row.entry)}:
        address = invitations.address(tx, named) if named.startswith("inv_") else _address(users.get(tx, named))
        if address is not None:
            found[named] = address
    return found


def ids_of(entry: Entry) -> set[str]:
    first, _, rest = entry.actor.partition(" ")
    subject = entry.object if entry.action.partition(".")[0] in ABOUT_PEOPLE else ""
    return {one for one in (first, rest.rpartition(" ")[2], subject) if one.startswith(("usr_", "inv_"))}


def _address(user: users.User | None) -> str | None:
    return None if user is None else user.email


def _time(name: str, value: str) -> str:
    """In the form that the log has, so that text order is time order."""
    if not value:
        return ""
    try:
        return clock.text(clock.parse(value))
    except ValueError:
        why = "is not a time"
        raise BadInput("audit.time", f"`{name}` {why}", "for example 2026-01-31T00:00:00Z", fields={name: why}) from None
