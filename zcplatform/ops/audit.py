"""The audit log as it may be read: whole by super-admins, whose reading is itself told, one tenant's by its owners."""

from collections.abc import AsyncIterator
from dataclasses import asdict

from zcplatform import clock
from zcplatform.errors import BadInput
from zcplatform.ops import access
from zcplatform.ops.desk import Actor, Desk
from zcplatform.store import audit
from zcplatform.store.audit import Question, Stored

PAGE = 500


def asked(tenant_id: str, actor: str, action: str, subject: str, since: str, until: str) -> Question:
    """Raises BadInput for a time that is none."""
    return Question(tenant_id, actor, action, subject, _time("since", since), _time("until", until))


async def told(desk: Desk, actor: Actor, question: Question, form: str) -> None:
    """That a super-admin reads the whole log, and what he asked for, before he gets it. In a tenant the route has told it already."""
    if question.tenant_id:
        return
    wanted = {name: value for name, value in asdict(question).items() if value}
    entry = actor.entry(clock.text(clock.now()), "audit.read", form, asked=wanted)
    await desk.database.write(lambda tx: audit.append(tx, entry))


async def export(desk: Desk, actor: Actor, question: Question) -> AsyncIterator[list[Stored]]:
    """All of it, oldest first, page by page up to what was there at the beginning; ends with an error when the asker's rights end."""
    newest, _ = desk.database.read(audit.head)
    seen = 0
    while True:
        at = clock.text(clock.now())
        desk.database.read(lambda tx: access.again(tx, actor, at))  # noqa: B023
        found = desk.database.read(lambda tx: audit.after(tx, question, seen, PAGE))  # noqa: B023
        rows = [row for row in found if row.sequence <= newest]
        if rows:
            yield rows
        if len(rows) < PAGE:
            return
        seen = rows[-1].sequence


def _time(name: str, value: str) -> str:
    """In the form that the log has, so that text order is time order."""
    if not value:
        return ""
    try:
        return clock.text(clock.parse(value))
    except ValueError:
        why = "is not a time"
        raise BadInput("audit.time", f"`{name}` {why}", "for example 2026-01-31T00:00:00Z", fields={name: why}) from None
