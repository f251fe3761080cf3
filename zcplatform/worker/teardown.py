"""Remove everything that this installation put on the machine. The desired state stays in the database, and the next start restores it."""

from zcplatform.agent import runtime
from zcplatform.engines.docker.local import LocalEngine
from zcplatform.engines.protocol import Engine
from zcplatform.engines.seen import Cleared
from zcplatform.errors import PlatformError
from zcplatform.ids import LOCAL
from zcplatform.log import logger
from zcplatform.settings import Settings
from zcplatform.store import tenants
from zcplatform.store.db import Database
from zcplatform.vault.keys import Keys
from zcplatform.worker.app import make_deps, make_firewall
from zcplatform.worker.configuration.readback import read_back
from zcplatform.worker.reconcile.snapshot import load
from zcplatform.worker.startup import locked


async def take_down(settings: Settings, keys: Keys) -> Cleared:
    """Remove everything. Raises CannotRun while `zcplatform serve` runs. If the engine is gone, nothing of this installation runs in it."""
    with locked(settings):
        engine = LocalEngine(settings, make_firewall(settings), runtime.PROGRAM)
        try:
            if settings.database.exists():
                await _keep_paired_devices(settings, keys, engine)
            return await engine.place(LOCAL).clear()
        finally:
            await engine.close()


async def _keep_paired_devices(settings: Settings, keys: Keys, engine: Engine) -> None:
    database = Database(settings.database)
    deps = make_deps(settings, keys, database, engine)
    for row in database.read(tenants.everything):
        tenant_id = row.id
        try:
            snapshot = database.read(lambda tx: load(tx, settings, tenant_id))  # noqa: B023
            if snapshot is not None:
                await read_back(deps, snapshot)
        except PlatformError as error:
            logger.warning("paired devices could not be read back", tenant=row.id, error=error.detail)
    database.close()
