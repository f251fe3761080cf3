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
from zcplatform.store import secrets
from zcplatform.store.db import Tx
from zcplatform.worker.case import Case
from zcplatform.worker.recording import saw
from zcplatform.worker.tools import Tools

CONFIG_LIMIT = 256 * 1024


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


def placeholders(tools: Tools, case: Case) -> render.AgentConfig:
    """The same configuration with something else in the place of every secret."""
    stored = tools.database.read(lambda tx: secrets.get(tx, case.tenant.id, "provider", "main"))
    provider = replace(case.provider, api_key="placeholder") if case.provider is not None and stored is not None else case.provider
    return render.AgentConfig(provider, (sealed.token_hash("placeholder"),))


async def read_back(tools: Tools, case: Case) -> None:
    """Keep the people the agent paired: its own file says who they are. An unreadable file changes nothing."""
    await keep(tools, case, await saved(tools, case))


async def saved(tools: Tools, case: Case) -> bytes | None:
    """The agent's file as it stands; None when there is none that could be read."""
    return await asyncio.to_thread(files.config_read, tools.settings.config_dir, case.tenant.slug, "config.toml", CONFIG_LIMIT)


async def keep(tools: Tools, case: Case, content: bytes | None) -> None:
    """The file is the tenant's: it is parsed on a thread and outside of any transaction."""
    key, bearer, paired = (_found(tools, case.tenant.id, name) for name in ("config_key", "bearer", "paired"))
    if content is None or key is None or bearer is None:
        return
    told = await asyncio.to_thread(_paired, content, bytes.fromhex(key), sealed.token_hash(bearer))
    if told is None or told == paired:
        return
    at = clock.text(clock.now())
    await tools.database.write(lambda tx: tools.secrets.put(tx, case.tenant.id, "agent", "paired", told, at))


def _found(tools: Tools, tenant_id: TenantId, name: str) -> str | None:
    found = tools.database.read(lambda tx: tools.secrets.get(tx, tenant_id, "agent", name))
    return found[1] if found else None


def _paired(content: bytes, key: bytes, own: str) -> str | None:
    """The hashes of the paired devices' tokens without our own, as JSON; None when the file can not be read."""
    try:
        hashes = render.read_back(content.decode(errors="replace"), lambda value: sealed.unseal(key, value))
    except ValueError:
        return None
    return json.dumps(sorted(value for value in hashes if value != own))


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
