"""An agent's configuration: rendered with its secrets onto a mount of its own, and what the agent saved there read back and kept."""

import asyncio
import json
from collections.abc import Callable

from zcplatform import clock
from zcplatform.adapters import files
from zcplatform.agent import document, sealed
from zcplatform.agent.agent_state import AgentState
from zcplatform.agent.secret_slots import secret_slots
from zcplatform.core.secret_names import row_of
from zcplatform.ids import TenantId
from zcplatform.store import drifts
from zcplatform.store.db import Tx
from zcplatform.worker.case import Case
from zcplatform.worker.readback import read_back, written_by
from zcplatform.worker.recording import saw
from zcplatform.worker.tools import Tools


async def configuration(tools: Tools, case: Case) -> None:
    """A fresh mount each time: nothing the agent left there is written over or followed. What it saved is read back first."""
    await read_back(tools, case)
    await asyncio.to_thread(_write_workspace, tools, case, written_by(tools, case))
    at = clock.text(clock.now())

    def compose(tx: Tx) -> tuple[str, bytes]:
        tools.secrets.open_boxes(tx, at, case.tenant.id)
        bearer = _own(tools, tx, case.tenant.id, "bearer", sealed.new_token, at)
        key = bytes.fromhex(_own(tools, tx, case.tenant.id, "config_key", lambda: sealed.new_key().hex(), at))
        paired = json.loads(_own(tools, tx, case.tenant.id, "paired", lambda: "[]", at))
        peers = json.loads(_own(tools, tx, case.tenant.id, "peers", lambda: "{}", at))
        kept = AgentState((sealed.token_hash(bearer), *paired), {channel: tuple(ids) for channel, ids in peers.items()})
        values = _values(tools, tx, case)
        return document.render(case.settings, values, case.policy, kept, lambda text: sealed.seal(key, text)), key.hex().encode()

    text, key = await tools.database.write(compose)
    nonce = await asyncio.to_thread(
        files.config_mount,
        tools.settings.config_dir,
        case.tenant.slug,
        case.needs_allocation().uid,
        {"config.toml": text.encode(), ".secret_key": key},
        allow_swap=tools.settings.allow_swap,
    )
    await saw(tools, case, {"seen_config": f"{nonce}.{case.config_mark}", "seen_healthy": 0, "seen_healthy_at": None})
    await tools.database.write(lambda tx: drifts.forget_decided(tx, case.tenant.id))


def _write_workspace(tools: Tools, case: Case, before: dict[str, str]) -> None:
    """Instructions, tasks and procedures. A file that is no longer wanted goes only if it is the one that was written."""
    root, slug, uid = tools.settings.tenants_dir, case.tenant.slug, case.needs_allocation().uid
    wanted = {name: text for name, text in document.workspace_files(case.settings).items() if text}
    for name, text in wanted.items():
        files.workspace_write(root, slug, uid, name, text.encode())
    for name, text in before.items():
        if text and name not in wanted:
            files.workspace_take_away(root, slug, name, text.encode())


async def drop_configuration(tools: Tools, case: Case) -> None:
    await read_back(tools, case)
    await asyncio.to_thread(files.config_unmount, tools.settings.config_dir, case.tenant.slug)
    await saw(tools, case, {"seen_config": None})


def _own(tools: Tools, tx: Tx, tenant_id: TenantId, name: str, make: Callable[[], str], at: str) -> str:
    """A secret the platform keeps for the tenant's agent, made when it is missing."""
    found = tools.secrets.get(tx, tenant_id, "agent", name)
    if found is not None:
        return found[1]
    tools.secrets.put(tx, tenant_id, "agent", name, value := make(), at)
    return value


def _values(tools: Tools, tx: Tx, case: Case) -> dict[str, str]:
    """The secrets by the names of their places; each goes to no other host than the one it was saved for."""
    found = {}
    for place in secret_slots(case.settings):
        secret = tools.secrets.get(tx, case.tenant.id, *row_of(place.name))
        if secret is not None and secret[0] == (place.host or ""):
            found[place.name] = secret[1]
    return found
