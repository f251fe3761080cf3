"""An agent's configuration: rendered with its secrets onto a mount of its own, and what the agent saved there read back and kept."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

from zcplatform import clock
from zcplatform.adapters import files
from zcplatform.agent import render, sealed
from zcplatform.agent.hosts import key_host
from zcplatform.ids import TenantId
from zcplatform.store import drifts
from zcplatform.store.db import Tx
from zcplatform.worker.case import Case
from zcplatform.worker.readback import read_back
from zcplatform.worker.recording import saw
from zcplatform.worker.tools import Tools


async def configuration(tools: Tools, case: Case) -> None:
    """A fresh mount each time: nothing the agent left there is written over or followed. What it saved is read back first."""
    await read_back(tools, case)
    at = clock.text(clock.now())

    def compose(tx: Tx) -> tuple[str, bytes]:
        tools.secrets.open_boxes(tx, at, case.tenant.id)
        bearer = _own(tools, tx, case.tenant.id, "bearer", sealed.new_token, at)
        key = bytes.fromhex(_own(tools, tx, case.tenant.id, "config_key", lambda: sealed.new_key().hex(), at))
        paired = json.loads(_own(tools, tx, case.tenant.id, "paired", lambda: "[]", at))
        config = render.AgentConfig(_with_key(tools, tx, case), (sealed.token_hash(bearer), *paired))
        return render.render(config, lambda text: sealed.seal(key, text)), key.hex().encode()

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


def _with_key(tools: Tools, tx: Tx, case: Case) -> render.Provider | None:
    """The provider with its key, which goes to no other host than the one it was saved for."""
    if case.provider is None:
        return None
    found = tools.secrets.get(tx, case.tenant.id, "provider", "main")
    if found is None or found[0] != key_host(case.provider.family, case.provider.uri):
        return case.provider
    return replace(case.provider, api_key=found[1])
