"""Write an agent's configuration, rendered with its secrets, onto a mount of its own, after reading back what the agent saved there."""

from collections.abc import Callable

from zcplatform import bounded_json, clock
from zcplatform.agent import rendering, sealed, workspace
from zcplatform.agent.agent_state import AgentState
from zcplatform.agent.secret_slots import secret_slots
from zcplatform.core.secret_names import row_of
from zcplatform.ids import TenantId
from zcplatform.store import drifts
from zcplatform.store.db import Tx
from zcplatform.worker.configuration.readback import read_back, written_workspace_files
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.recording import record_seen
from zcplatform.worker.reconcile.snapshot import TenantSnapshot


async def configuration(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Write the configuration onto a fresh mount, so that nothing the agent left is overwritten or followed."""
    await read_back(deps, snapshot)
    await _write_workspace(deps, snapshot, written_workspace_files(deps, snapshot))
    at = clock.text(clock.now())

    def compose(tx: Tx) -> tuple[str, bytes]:
        deps.secrets.open_boxes(tx, at, snapshot.tenant.id)
        bearer = _own(deps, tx, snapshot.tenant.id, "bearer", sealed.new_token, at)
        key = bytes.fromhex(_own(deps, tx, snapshot.tenant.id, "config_key", lambda: sealed.new_key().hex(), at))
        paired = bounded_json.loads(_own(deps, tx, snapshot.tenant.id, "paired", lambda: "[]", at))
        peers = bounded_json.loads(_own(deps, tx, snapshot.tenant.id, "peers", lambda: "{}", at))
        kept = AgentState((sealed.token_hash(bearer), *paired), {channel: tuple(ids) for channel, ids in peers.items()})
        values = _values(deps, tx, snapshot)
        return rendering.render(snapshot.settings, values, snapshot.policy, kept, lambda text: sealed.seal(key, text)), key.hex().encode()

    text, key = await deps.database.write(compose)
    contents = {"config.toml": text.encode(), ".secret_key": key}
    nonce = await deps.place(snapshot).write_configuration(snapshot.ref, snapshot.require_allocation().uid, contents)
    await record_seen(deps, snapshot, {"seen_config": f"{nonce}.{snapshot.config_mark}", "seen_healthy": 0, "seen_healthy_at": None})
    await deps.database.write(lambda tx: drifts.forget_decided(tx, snapshot.tenant.id))


async def _write_workspace(deps: Deps, snapshot: TenantSnapshot, before: dict[str, str]) -> None:
    """Write instructions, tasks and procedures. A file that is no longer in the settings is removed only if it is unchanged."""
    place, ref, uid = deps.place(snapshot), snapshot.ref, snapshot.require_allocation().uid
    wanted = {name: text for name, text in workspace.workspace_files(snapshot.settings).items() if text}
    for name, text in wanted.items():
        await place.write_workspace_file(ref, uid, name, text.encode())
    for name, text in before.items():
        if text and name not in wanted:
            await place.remove_workspace_file(ref, name, text.encode())


async def drop_configuration(deps: Deps, snapshot: TenantSnapshot) -> None:
    await read_back(deps, snapshot)
    await deps.place(snapshot).drop_configuration(snapshot.ref)
    await record_seen(deps, snapshot, {"seen_config": None})


def _own(deps: Deps, tx: Tx, tenant_id: TenantId, name: str, make: Callable[[], str], at: str) -> str:
    """Return a secret that the platform keeps for the tenant's agent, and create it if it is missing."""
    found = deps.secrets.get(tx, tenant_id, "agent", name)
    if found is not None:
        return found[1]
    deps.secrets.put(tx, tenant_id, "agent", name, value := make(), at)
    return value


def _values(deps: Deps, tx: Tx, snapshot: TenantSnapshot) -> dict[str, str]:
    """Return the secrets by slot name, each only if it was saved for the host that the settings name now."""
    found = {}
    for place in secret_slots(snapshot.settings):
        secret = deps.secrets.get(tx, snapshot.tenant.id, *row_of(place.name))
        if secret is not None and secret[0] == (place.binding or ""):
            found[place.name] = secret[1]
    return found
