"""Let the agent check a configuration, in a throw-away container of the image that it will run on, before the configuration or image is used.

The container has no network and no file or secret of the tenant: secrets are placeholders, sealed with a separate key on a separate mount.
"""

from zcplatform.agent import configuration_check as agent_check
from zcplatform.agent import runtime, sealed
from zcplatform.core.workload import Task
from zcplatform.errors import RevisionRejected
from zcplatform.worker.configuration.placeholders import placeholders
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.recording import record_seen
from zcplatform.worker.reconcile.snapshot import TenantSnapshot

CHECK, PREFLIGHT = "check", "preflight"


async def check(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Run the check as a step. Raises RevisionRejected with the agent's words."""
    words = await rejection(deps, snapshot, CHECK)
    if words is not None:
        raise RevisionRejected("revision.rejected", f"the agent rejects it: {words}")
    await record_seen(deps, snapshot, {"checked_revision": snapshot.tenant.revision, "checked_image_id": snapshot.tenant.image})


async def rejection(deps: Deps, snapshot: TenantSnapshot, purpose: str) -> str | None:
    """Return why the agent of the snapshot's image rejects the snapshot's configuration; None if it accepts it."""
    key = sealed.new_key()
    content = {
        "config.toml": placeholders(deps, snapshot, key).encode(),
        ".secret_key": key.hex().encode(),
        agent_check.EMPTY_PATCH_NAME: agent_check.EMPTY_PATCH,
    }
    workload = snapshot.workload
    environment = (*workload.program.constants, *sorted(workload.environment.items()))
    for command in agent_check.commands(runtime.CONFIG_TARGET):
        task = Task(
            purpose=purpose,
            subject=snapshot.tenant.slug,
            image_id=workload.image_id,
            command=command,
            environment=environment,
            memory_bytes=workload.memory_bytes,
            pids=workload.pids,
            deadline_s=deps.settings.start_timeout_s,
            uid=workload.uid,
            cpu_millis=workload.cpu_millis,
            tenant=snapshot.ref,
            config_target=runtime.CONFIG_TARGET,
            configuration=content,
        )
        result = await deps.place(snapshot).run_once(task)
        words = agent_check.rejection(result.exit_code, result.output)
        if words is not None:
            return deps.redactor(snapshot.tenant.id).line(words, agent_check.LONGEST_WORDS)
    return None
