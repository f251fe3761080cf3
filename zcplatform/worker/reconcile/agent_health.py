"""Wait for a started agent to become healthy, and find out why it does not: it ended, it hangs, or its port leads nowhere."""

import asyncio
import re

from zcplatform import clock
from zcplatform.engines.protocol import EngineUnreachable
from zcplatform.engines.seen import Silence, WorkloadSeen
from zcplatform.errors import PlatformError, StepFailed
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile import allocation, start_boost
from zcplatform.worker.reconcile.recording import record_seen
from zcplatform.worker.reconcile.snapshot import Superseded, TenantSnapshot, load

HEALTH_EVERY_S = 0.02
LOOK_EVERY_S = 0.5
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


async def health(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Poll the agent until it answers, then end its start-up boost. Stops early if its process ended or the desired state changed."""
    try:
        await _wait_healthy(deps, snapshot)
    finally:
        start_boost.end(deps, snapshot.tenant.id)
    at = clock.text(clock.now())
    await record_seen(deps, snapshot, {"seen_container": "running", "seen_healthy": 1, "seen_healthy_at": at, "seen_probe_failures": 0})


async def _wait_healthy(deps: Deps, snapshot: TenantSnapshot) -> None:
    loop, limit_s = asyncio.get_running_loop(), deps.settings.start_timeout_s
    deadline, look_at, last = loop.time() + limit_s, loop.time(), "it does not answer"
    workload: WorkloadSeen | None = None
    while loop.time() < deadline:
        if loop.time() >= look_at:
            look_at = loop.time() + LOOK_EVERY_S
            workload = await _still_there(deps, snapshot)
            # Checked even if the agent answers at once: a port that leads to another container answers too.
            await _check_port(deps, snapshot)
        if workload is not None and workload.address is not None:
            answer = await deps.gateway.health(workload.address)
            if answer.is_ok:
                break
            last = answer.error
        await asyncio.sleep(HEALTH_EVERY_S)
    else:
        await record_seen(deps, snapshot, {"seen_config": None})
        raise StepFailed(
            "agent.unhealthy",
            f"The agent of `{snapshot.tenant.slug}` did not become healthy within {limit_s:g} s: {last}",
            f"zcplatform tenants logs {snapshot.tenant.slug}",
        )


async def _check_port(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Raise StepFailed if the published port does not lead to the agent. A killed engine can leave a rule that leads to a container that is gone.

    The kernel's rules decide. What an agent answers, and where, proves nothing, so it never makes the platform give up a port.
    """
    port = snapshot.require_allocation().port
    if await deps.place(snapshot).port_leads(snapshot.workload) is not False:
        return
    await _still_there(deps, snapshot)  # if the agent ended, its port is expected to lead nowhere
    if await allocation.give_up_port(deps, snapshot, port):
        detail = f"Port {port} of `{snapshot.tenant.slug}` does not lead to its agent: the engine left a stale rule"
        raise StepFailed("container.port_dead", detail, "the tenant gets another port")


async def _still_there(deps: Deps, snapshot: TenantSnapshot) -> WorkloadSeen | None:
    """Return the workload, or None while the engine does not answer. Raises if it ended, or if the desired state changed."""
    fresh = deps.database.read(lambda tx: load(tx, deps.settings, snapshot.tenant.id))
    if fresh is None or fresh.tenant.generation != snapshot.tenant.generation:
        raise Superseded
    place = deps.place(snapshot)
    seen = await place.look_at(snapshot.ref)
    if isinstance(seen, Silence):
        raise EngineUnreachable(seen.detail, seen.hint)
    deps.upstreams.saw(place, snapshot.ref, seen)
    found = seen.workload
    if found is None or not found.is_running:
        raise await exited(deps, snapshot, found.exit_code if found else None, oom=bool(found and found.was_oom_killed))
    return found


async def exited(deps: Deps, snapshot: TenantSnapshot, exit_code: int | None, *, oom: bool) -> StepFailed:
    """Return the error for an agent that ended by itself, with its last error line. Other lines may contain messages and stay in its log."""
    words = ""
    try:
        async for line in deps.place(snapshot).logs(snapshot.ref, tail=20):
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
