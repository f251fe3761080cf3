"""What the worker saw, written down under the guard of the tenant's generation."""

from collections.abc import Mapping

from zcplatform import clock
from zcplatform.store import tenants
from zcplatform.worker.case import Case, Superseded
from zcplatform.worker.tools import Tools


async def saw(tools: Tools, case: Case, changes: Mapping[str, object]) -> None:
    """Record what was seen. Raises Superseded when somebody wants something else by now."""
    at = clock.text(clock.now())
    if not await tools.database.write(lambda tx: tenants.saw(tx, case.tenant.id, case.tenant.generation, at, changes)):
        raise Superseded
