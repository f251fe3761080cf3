"""Audit entries of denied requests. The web process counts them first (`web.denials`), so that a flood is few entries."""

from zcplatform.core.audit import Entry
from zcplatform.ops.context import Context
from zcplatform.store import audit
from zcplatform.store.db import Tx


async def record(context: Context, entries: list[Entry]) -> None:
    def write(tx: Tx) -> None:
        for entry in entries:
            audit.append(tx, entry)

    await context.database.write(write)
