"""Read back what the agent saved in its file: devices that it paired, people that it approved, and edits made inside the agent.

The file belongs to the tenant and is hostile: it is parsed on a thread and outside of any transaction. A file that cannot be read, for any reason, changes
nothing and prevents nothing: stopping, deleting and revoking devices work without it.
"""

import asyncio
import json
from dataclasses import dataclass

from zcplatform import bounded_json, clock
from zcplatform.agent import agent_state, config_file, drift, sealed, workspace
from zcplatform.agent.agent_state import AgentState
from zcplatform.agent.secret_slots import secret_slots
from zcplatform.core.redaction import redacted_json
from zcplatform.errors import PlatformError
from zcplatform.ids import TenantId
from zcplatform.log import logger
from zcplatform.store import drifts, events
from zcplatform.store.db import Tx
from zcplatform.store.drifts import Drift
from zcplatform.worker.configuration.placeholders import reference
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.snapshot import TenantSnapshot, with_revision

CONFIG_LIMIT = 256 * 1024
MOST_REVOKED = 512


@dataclass(frozen=True)
class _Read:
    hashes: frozenset[str]
    """Of all tokens."""
    peers: str
    changes: str
    """Both JSON."""


async def read_back(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Read the file back before it is rendered again or removed. Never raises because of its content."""
    await keep_saved(deps, snapshot, await read_saved(deps, snapshot))


async def read_saved(deps: Deps, snapshot: TenantSnapshot) -> bytes | None:
    """Return the agent's current file; None if there is none or it cannot be read."""
    try:
        return await deps.place(snapshot).read_configuration(snapshot.ref, "config.toml", CONFIG_LIMIT)
    except PlatformError as error:
        logger.warning("an agent's file cannot be read back", tenant=snapshot.tenant.id, error=error.detail)
        return None


async def keep_saved(deps: Deps, snapshot: TenantSnapshot, content: bytes | None) -> bool:
    """Return False if the platform's own token is gone from the file. A file that cannot be read proves nothing."""
    try:
        return await _keep(deps, snapshot, content)
    except Exception as error:  # a hostile file may make the parser raise anything
        logger.warning("an agent's file cannot be read back", tenant=snapshot.tenant.id, problem=type(error).__name__)
        return True


async def _keep(deps: Deps, snapshot: TenantSnapshot, content: bytes | None) -> bool:
    tenant_id = snapshot.tenant.id
    key, bearer, paired, peers = (_found(deps, tenant_id, name) for name in ("config_key", "bearer", "paired", "peers"))
    mount = snapshot.tenant.seen_config
    if content is None or key is None or bearer is None:
        return True
    number, then = _number(mount), _then(deps, snapshot)
    read = await asyncio.to_thread(_read, content, bytes.fromhex(key), then)
    if read is None:
        return True
    own = sealed.token_hash(bearer)
    at, changes = clock.text(clock.now()), _redacted(deps, tenant_id, read.changes)

    def write(tx: Tx) -> None:
        gone = deps.secrets.get(tx, tenant_id, "agent", "revoked")  # read here, because a reset may have happened while the file was parsed
        people = json.dumps(sorted(read.hashes - {own} - set(bounded_json.loads(gone[1] if gone else "[]"))))
        if people != paired:
            deps.secrets.put(tx, tenant_id, "agent", "paired", people, at)
        if then is not None and read.peers != (peers or "{}"):
            deps.secrets.put(tx, tenant_id, "agent", "peers", read.peers, at)
        if mount is not None and number is not None and then is not None:
            _record(tx, Drift(tenant_id, number, mount, changes, None, at), snapshot.tenant.slug)

    await deps.database.write(write)
    return own in read.hashes


async def forget_paired_devices(deps: Deps, snapshot: TenantSnapshot) -> bool:
    """Forget every paired device. Returns True if the agent's file still contains some and has to be rendered again.

    Their hashes are remembered as revoked; otherwise the next look at the old file would restore them.
    """
    at, tenant_id = clock.text(clock.now()), snapshot.tenant.id

    def write(tx: Tx) -> bool:
        found = (deps.secrets.get(tx, tenant_id, "agent", name) for name in ("paired", "revoked"))
        paired, revoked = (bounded_json.loads(one[1]) if one is not None else [] for one in found)
        if not paired:
            return False
        deps.secrets.put(tx, tenant_id, "agent", "revoked", json.dumps([*revoked, *paired][-MOST_REVOKED:]), at)
        deps.secrets.put(tx, tenant_id, "agent", "paired", "[]", at)
        return True

    return await deps.database.write(write)


def _redacted(deps: Deps, tenant_id: TenantId, changes: str) -> str:
    """Redact a difference: it is stored and shown, and an agent may write a key into any field."""
    if changes == "{}":
        return changes
    return json.dumps(redacted_json(deps.redactor(tenant_id), bounded_json.loads(changes)), sort_keys=True)


def _number(mount: str | None) -> int | None:
    """Return the revision that a mount was filled from."""
    number = (mount or "").rpartition(".")[2]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 16 else None


def _record(tx: Tx, now: Drift, slug: str) -> None:
    """Record edits. They stay recorded when their file is gone, until a person decides; only a look at the same file clears them."""
    before = drifts.get(tx, now.tenant_id)
    if now.changes == "{}":
        if before is not None and before.mount == now.mount and before.decided is None:
            drifts.forget(tx, now.tenant_id)
        return
    if before is not None and (before.mount, before.changes) == (now.mount, now.changes):
        return
    drifts.put(tx, now)
    events.append(tx, now.found_at, "tenant.drift", tenant_id=now.tenant_id, slug=slug, paths=sorted(bounded_json.loads(now.changes))[:20])


def _found(deps: Deps, tenant_id: TenantId, name: str) -> str | None:
    found = deps.database.read(lambda tx: deps.secrets.get(tx, tenant_id, "agent", name))
    return found[1] if found else None


def _then(deps: Deps, snapshot: TenantSnapshot) -> TenantSnapshot | None:
    """Return the snapshot with the revision that the file was rendered from; None if that revision is gone or invalid."""
    number = _number(snapshot.tenant.seen_config)
    return None if number is None else deps.database.read(lambda tx: with_revision(tx, snapshot, number))


def written_workspace_files(deps: Deps, snapshot: TenantSnapshot) -> dict[str, str]:
    """Return what the revision that the file was rendered from wrote into the workspace."""
    then = _then(deps, snapshot)
    return {} if then is None else workspace.workspace_files(then.settings)


def _read(content: bytes, key: bytes, then: TenantSnapshot | None) -> _Read | None:
    """Return None if the file cannot be read."""
    text = content.decode(errors="replace")
    try:
        found = config_file.parse(text)
        if then is None:
            kept, changes = AgentState(config_file.paired_token_hashes(found, lambda value: sealed.unseal(key, value))), {}
        else:
            kept = agent_state.read(found, then.settings, lambda value: sealed.unseal(key, value))
            plain = {".".join(place.key) for place in secret_slots(then.settings) if place.is_plain}
            changes = drift.drift(reference(then), found, plain)
    except ValueError:
        return None
    peers = json.dumps({channel: list(ids) for channel, ids in kept.peers.items()}, sort_keys=True)
    return _Read(frozenset(kept.paired_tokens), peers, json.dumps(changes, sort_keys=True, allow_nan=False))
