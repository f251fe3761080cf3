"""An agent that was started: waited for until it answers, and told apart when it ended, never answers, or answers where nobody can ask it."""

import asyncio
import re

from zcplatform import clock
from zcplatform.core.container import GATEWAY_PORT
from zcplatform.errors import PlatformError, StepFailed
from zcplatform.store import allocations
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.recording import record_seen
from zcplatform.worker.reconcile.snapshot import Superseded, TenantSnapshot, load

HEALTH_EVERY_S = 0.02
LOOK_EVERY_S = 0.5
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


async def health(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Ask the agent until it answers; end early when its process ended or something else is wanted."""
    loop = asyncio.get_running_loop()
    deadline, look_at, last = loop.time() + deps.settings.start_timeout_s, loop.time() + LOOK_EVERY_S, "it does not answer"
    while loop.time() < deadline:
        answer = await deps.gateway.health(snapshot.port)
        if answer.is_ok:
            break
        last = answer.error
        if loop.time() >= look_at:
            look_at = loop.time() + LOOK_EVERY_S
            await _check_port(deps, snapshot, await _still_there(deps, snapshot))
        await asyncio.sleep(HEALTH_EVERY_S)
    else:
        await record_seen(deps, snapshot, {"seen_config": None})
        raise StepFailed(
            "agent.unhealthy",
            f"The agent of `{snapshot.tenant.slug}` did not become healthy within {deps.settings.start_timeout_s:g} s: {last}",
            f"zcplatform tenants logs {snapshot.tenant.slug}",
        )
    await record_seen(
        deps,
        snapshot,
        {"seen_container": "running", "seen_healthy": 1, "seen_healthy_at": clock.text(clock.now()), "seen_probe_failures": 0},
    )


async def _check_port(deps: Deps, snapshot: TenantSnapshot, address: str) -> None:
    """An engine that was killed can leave a rule that leads our port to a container that is gone: the agent answers, only not there."""
    if not address or not (await deps.gateway.health(GATEWAY_PORT, address)).is_ok or (await deps.gateway.health(snapshot.port)).is_ok:
        return
    at, port = clock.text(clock.now()), snapshot.port
    await deps.database.write(lambda tx: allocations.block(tx, "port", port, at))
    raise StepFailed(
        "container.port_dead", f"The agent of `{snapshot.tenant.slug}` is well, but port {port} does not lead to it", "it gets another port"
    )


async def _still_there(deps: Deps, snapshot: TenantSnapshot) -> str:
    """The container's own address. Raises when it ended or when something else is wanted."""
    fresh = deps.database.read(lambda tx: load(tx, deps.settings, snapshot.tenant.id))
    if fresh is None or fresh.tenant.generation != snapshot.tenant.generation:
        raise Superseded
    found = await deps.docker.container(deps.names.container(snapshot.tenant.slug))
    if found is None or found.state != "running":
        raise await exited(deps, snapshot, found.exit_code if found else None, oom=bool(found and found.oom_killed))
    return found.address


async def exited(deps: Deps, snapshot: TenantSnapshot, exit_code: int | None, *, oom: bool) -> StepFailed:
    """The error for an agent that ended by itself, with what it said of an error; its other lines may hold messages and stay in the log."""
    words = ""
    try:
        async for line in deps.docker.logs(deps.names.container(snapshot.tenant.slug), tail=20):
            text = _COLOURS.sub("", line.decode(errors="replace")).strip()
            words = text if text.startswith("Error") else words
    except PlatformError:
        words = ""
    words = deps.redactor(snapshot.tenant.id).line(words, 300)
    how = "ran out of memory" if oom else f"ended with code {exit_code}" if exit_code is not None else "was removed"
    return StepFailed(
        "agent.exited",
        f"The agent of `{snapshot.tenant.slug}` {how}{f': {words}' if words else ''}",
        f"zcplatform tenants logs {snapshot.tenant.slug}",
    )
