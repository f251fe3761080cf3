"""What the worker saw, written down under the guard of the tenant's generation."""

from collections.abc import Mapping

from zcplatform import clock
from zcplatform.errors import PlatformError, StepFailed
from zcplatform.log import logger
from zcplatform.store import revisions, tenants
from zcplatform.store.db import Tx
from zcplatform.worker.case import Case, Superseded
from zcplatform.worker.tools import Tools


def told(error: Exception, **where: str) -> PlatformError:
    """What a person is told of it. An error that nobody foresaw goes into the log whole, with where it happened."""
    if isinstance(error, PlatformError):
        return error
    logger.error("an error that nobody foresaw", exc_info=error, **where)
    return StepFailed("internal.error", f"Something inside the platform went wrong ({type(error).__name__}); it is in the log", "report it")


async def saw(tools: Tools, case: Case, changes: Mapping[str, object]) -> None:
    """Record what was seen. Raises Superseded when somebody wants something else by now."""
    at = clock.text(clock.now())
    if not await tools.database.write(lambda tx: tenants.saw(tx, case.tenant.id, case.tenant.generation, at, changes)):
        raise Superseded


async def verified(tools: Tools, case: Case) -> None:
    """Healthy and reachable: its revision is the one to go back to from now on. Raises Superseded."""
    tenant = case.tenant
    at = clock.text(clock.now())
    changes: dict[str, object] = {"seen_verified": 1, "last_good_revision": tenant.revision}
    if tenant.revision != tenant.last_good_revision:
        changes |= {"refused_revision": None, "refused_reason": None}

    def write(tx: Tx) -> bool:
        if not tenants.saw(tx, tenant.id, tenant.generation, at, changes):
            return False
        revisions.went(tx, tenant.id, tenant.revision, "good")
        return True

    if not await tools.database.write(write):
        raise Superseded
