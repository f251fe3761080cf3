"""Anchor the audit log: sign its head and write it to a second place every hour, at the start and at the end, so that truncation is detected.

An anchor that could not be written is retried after a minute; nothing else waits for it.
"""

import asyncio
import json
from collections.abc import Callable

from zcplatform import bounded_json, clock
from zcplatform.adapters import anchors as places
from zcplatform.core.anchors import Anchor, Signed, parse
from zcplatform.errors import PlatformError
from zcplatform.log import logger
from zcplatform.settings import Settings
from zcplatform.store import audit, instance
from zcplatform.store.db import Database, Tx
from zcplatform.vault import signing
from zcplatform.vault.keys import Keys
from zcplatform.worker.loop import Loop
from zcplatform.worker.metrics import Metrics

PERIOD_S = 3600.0
AGAIN_S = 60.0
CHANGE = "anchors_of_a_new_key"


class Anchors:
    def __init__(self, settings: Settings, keys: Keys, database: Database, metrics: Metrics, again_s: float = AGAIN_S) -> None:
        self._metrics = metrics
        self.loop = Loop("anchors", PERIOD_S, self._round, retry_s=lambda _: again_s)
        self._kind = "start"
        self._instance = settings.instance
        self._keys = keys
        self._database = database
        self._place = place(settings)

    async def _round(self) -> None:
        await self.write(self._kind)
        self._kind = "hour"

    async def write(self, kind: str) -> None:
        """Write one anchor, on a thread, so that a slow disk delays nothing else. Raises Unavailable."""
        sequence, hash_ = self._database.read(audit.head)
        signer = self._keys.audit_public.hex()
        anchor = Anchor(kind, self._instance, clock.text(clock.now()), sequence, hash_.hex(), signer)
        try:
            await asyncio.to_thread(self._place, signed(self._keys, anchor).line())
        except PlatformError:
            self._metrics.anchors.labels("failed").inc()
            raise
        self._metrics.anchors.labels("written").inc()


def put_change(tx: Tx, settings: Settings, old: Keys, new: Keys, at: str) -> None:
    """Write a pending change of key. Signed by both keys, it stays in the database until it is anchored, because the old key is gone by then."""
    sequence, hash_ = audit.head(tx)
    before, after = old.audit_public.hex(), new.audit_public.hex()
    lines = [
        signed(old, Anchor("key", settings.instance, at, sequence, hash_.hex(), before, next_signer=after)).line(),
        signed(new, Anchor("key", settings.instance, at, sequence, hash_.hex(), after, last_signer=before)).line(),
    ]
    instance.put(tx, CHANGE, json.dumps(bounded_json.loads(instance.get(tx, CHANGE) or "[]") + lines))


def deliver_change(settings: Settings, keys: Keys, database: Database) -> None:
    """Write the pending lines. Raises Unavailable and keeps them for the next attempt. Lines not signed by our key are discarded: others wrote them."""
    queued = database.read(lambda tx: instance.get(tx, CHANGE))
    if queued is None:
        return
    try:
        found = list(parse(bounded_json.loads(queued)))
        is_ours = bool(found) and found[-1].anchor.signer == keys.audit_public.hex() and all(_is_signed(one) for one in found)
    except (ValueError, TypeError):
        is_ours = False
    if is_ours:
        for one in found:
            place(settings)(one.line())
    else:
        logger.error("pending anchors of a change of key are not signed by this key and are discarded")
    database.write_now(lambda tx: instance.remove(tx, CHANGE))


def _is_signed(one: Signed) -> bool:
    return signing.is_signed(bytes.fromhex(one.anchor.signer), one.anchor.message(), bytes.fromhex(one.signature))


def signed(keys: Keys, anchor: Anchor) -> Signed:
    return Signed(anchor, signing.sign(keys.audit_signer, anchor.message()).hex())


def place(settings: Settings) -> Callable[[str], None]:
    if settings.audit_anchor == "syslog":
        return lambda line: places.log(line, settings.syslog_socket)
    return lambda line: places.append(settings.anchor_file, line)
