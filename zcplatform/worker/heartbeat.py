"""Small periodic tasks of the worker: the heartbeat, keys for the web process, and secrets that wait in sealed boxes."""

from collections.abc import Callable
from datetime import datetime

from zcplatform import clock
from zcplatform.settings import Settings
from zcplatform.store import secrets
from zcplatform.store.db import Database
from zcplatform.worker.loop import Loop
from zcplatform.worker.retention import delete_expired
from zcplatform.worker.secrets import Secrets

HEARTBEAT_S = 10.0
RETENTION_S = 3_600.0


def heartbeat_loop(database: Database, settings: Settings, hand_over_keys: Callable[[], None]) -> Loop:
    """Return the heartbeat loop. A worker that cannot take the write lock does not count as alive. Nothing is committed without a change, so caches stay valid."""

    async def beat() -> None:
        await database.write(lambda _: None)
        settings.worker_heartbeat.touch(mode=0o600)
        hand_over_keys()

    return Loop("heartbeat", HEARTBEAT_S, beat)


def sealed_boxes_loop(database: Database, vault: Secrets) -> Loop:
    """Return the loop that opens sealed boxes which no reconciliation has opened, so that no secret waits in one for long."""

    async def open_boxes() -> None:
        if database.read(secrets.any_boxed):
            at = clock.text(clock.now())
            await database.write(lambda tx: vault.open_boxes(tx, at))

    return Loop("sealed_boxes", HEARTBEAT_S, open_boxes)


def retention_loop(database: Database, settings: Settings, now: Callable[[], datetime] = clock.now) -> Loop:
    async def delete() -> None:
        moment = now()
        while await database.write(lambda tx: delete_expired(tx, settings, moment)):
            continue

    return Loop("retention", RETENTION_S, delete, retry_s=lambda _: 60.0)
