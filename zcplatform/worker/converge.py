"""One tenant, once: load, look, decide, act, record. The same call for a first deploy, a retry, a restart and a repair.

Nothing is remembered between two calls: a killed worker's successor looks at everything again and goes on where things stand. No transaction
is open while the engine, the edge or an agent is asked.
"""

import asyncio
import random
from collections.abc import Collection
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

from zcplatform import clock
from zcplatform.adapters import files
from zcplatform.adapters.docker_seen import ContainerSeen, NetworkSeen
from zcplatform.core import backoff
from zcplatform.core.audit import Entry
from zcplatform.core.plan import ContainerFacts, Seen, Step, plan
from zcplatform.core.tenant import (
    ATTEMPTS_BEFORE_FAILED,
    CRASHES,
    EDGE,
    IMAGE_GONE,
    OTHER_NUMBER,
    UNREACHABLE,
    Tenant,
    Wanted,
    has_failed,
)
from zcplatform.errors import PlatformError, RevisionRejected
from zcplatform.failpoint import failpoint
from zcplatform.ids import LABEL_INSTANCE, LABEL_SPEC, LABEL_TENANT, ImageId, TenantId
from zcplatform.log import logger
from zcplatform.store import audit, events, images, operations, revisions, tenants
from zcplatform.store.db import Tx
from zcplatform.store.operations import Operation
from zcplatform.worker.agents import exited
from zcplatform.worker.case import Case, Superseded, is_current, load
from zcplatform.worker.limits import other_limits
from zcplatform.worker.recording import saw, told, verified
from zcplatform.worker.steps import STEPS, network_spec
from zcplatform.worker.tools import Tools

ROUNDS = 5
ALIVE = frozenset({"running", "paused", "restarting"})
"""A paused container has processes that hold the tenant's files: it has to be stopped like one that runs."""
AFTER_THE_ENGINE = frozenset({Step.HEALTH, Step.ROUTE, Step.VERIFY})
"""Steps that do not load the engine: others may have this tenant's place while its agent and the edge are waited for."""


async def converge(tools: Tools, tenant_id: TenantId) -> None:
    """Bring one tenant to what is wanted, or record why not and when the next attempt is due."""
    for _ in range(ROUNDS):
        generation = None
        try:
            generation = tools.database.read(lambda tx: tenants.generation(tx, tenant_id))
            case = tools.database.read(lambda tx: load(tx, tools.settings, tenant_id))
            if case is None:
                return
            seen = await see(tools, case)
            todo = plan(Wanted(case.tenant.wanted), seen)
            if not todo:
                await _settle(tools, case, seen)
                return
            await _run(tools, case, todo)
        except Superseded:
            continue
        except RevisionRejected as refused:
            await take_back(tools, tenant_id, generation, refused.detail)
        except Exception as unknown:  # whatever it is, it is told on this tenant and stops nobody else
            error = told(unknown, tenant=tenant_id)
            if error.code in CRASHES | IMAGE_GONE and await take_back(tools, tenant_id, generation, error.detail, error.code in IMAGE_GONE):
                continue
            await record_failure(tools, tenant_id, generation, error)
            if error.code not in CRASHES | OTHER_NUMBER:
                return  # a crashed agent's route is still to be taken away, another number is tried at once
    logger.warning("a tenant is not as wanted after several rounds; the next period goes on", tenant=tenant_id)


async def see(tools: Tools, case: Case) -> Seen:
    async with tools.looks:
        container = await tools.docker.container(tools.names.container(case.tenant.slug))
        network = await tools.docker.network(tools.names.network(case.tenant.slug))
    await _note_crash(tools, case, container)
    return facts(tools, case, container, network)


def facts(
    tools: Tools, case: Case, container: ContainerSeen | None, network: NetworkSeen | None, mounted: Collection[str] | None = None
) -> Seen:
    """What was looked at, as the decision needs it. What is a stranger's counts as not there; the steps refuse to touch it.

    `mounted` are the slugs with a configuration mount, where somebody has looked already.
    """
    tenant = case.tenant
    nonce = files.config_nonce(tools.settings.config_dir, tenant.slug, mounted)
    port = case.allocation.port if case.allocation else None
    current = (
        container is not None and _is_ours(tools, case, container) and is_current(tools.settings, tools.names, case, dict(container.labels))
    )
    return Seen(
        is_allocated=case.allocation is not None,
        firewall_stands=tools.firewall.stands,
        has_network=network is not None and _is_ours(tools, case, network),
        network_is_current=network is not None
        and case.allocation is not None
        and network.labels.get(LABEL_SPEC) == network_spec(tools, case),
        has_workspace=files.workspace_exists(tools.settings.tenants_dir, tenant.slug),
        workspace_is_whole=case.allocation is not None
        and files.workspace_is_whole(tools.settings.tenants_dir, tenant.slug, case.allocation.uid),
        has_config=nonce is not None,
        config_is_current=nonce is not None and tenant.seen_config == f"{nonce}.{case.config_mark}",
        container=ContainerFacts(container.state in ALIVE, current, is_limited=not current or not other_limits(tools, case, container))
        if container is not None and _is_ours(tools, case, container)
        else None,
        is_healthy=bool(tenant.seen_healthy),
        is_routed=tenant.seen_route_port is not None,
        route_is_current=port is not None and tenant.seen_route_port == port,
        is_verified=bool(tenant.seen_verified),
        is_waiting=is_waiting(case),
        needs_check=tenant.needs_check,
    )


def is_waiting(case: Case) -> bool:
    """An attempt failed and the next one is not due yet."""
    return case.tenant.next_attempt_at is not None and case.tenant.next_attempt_at > clock.text(clock.now())


def _is_ours(tools: Tools, case: Case, thing: ContainerSeen | NetworkSeen) -> bool:
    return thing.labels.get(LABEL_INSTANCE) == tools.settings.instance and thing.labels.get(LABEL_TENANT) == case.tenant.id


async def _note_crash(tools: Tools, case: Case, container: ContainerSeen | None) -> None:
    """A container that ended without being asked to: the next start waits, longer each time. Raises the error that says so."""
    tenant = case.tenant
    settled = tenant.wanted == Wanted.RUNNING and tenant.seen_generation == tenant.generation
    if not settled or tenant.seen_container != "running" or not tenant.seen_healthy:
        return
    if container is None or not _is_ours(tools, case, container) or container.state in ALIVE:
        return
    error = await exited(tools, case, container.exit_code, oom=container.oom_killed)
    await saw(tools, case, {"seen_container": "stopped", "seen_healthy": 0, "seen_healthy_at": None})
    raise error


async def _run(tools: Tools, case: Case, todo: tuple[Step, ...]) -> None:
    async with AsyncExitStack() as places:
        holds = False
        for position, step in enumerate(todo):
            if step in AFTER_THE_ENGINE and holds:
                await places.aclose()
                holds = False
            elif step not in AFTER_THE_ENGINE and not holds:
                await places.enter_async_context(tools.places)
                holds = True
            await _step(tools, case.tenant.id, case.tenant.generation, step, todo, first=position == 0)


async def _step(tools: Tools, tenant_id: TenantId, generation: int, step: Step, todo: tuple[Step, ...], *, first: bool) -> None:
    case = await tools.database.write(lambda tx: _begin(tx, tools, tenant_id, generation, step, todo, first=first))
    request = case.tenant.last_request
    failpoint(f"{request}.{step}.before")
    started = asyncio.get_running_loop().time()
    try:
        await STEPS[step](tools, case)
    except PlatformError as error:
        tools.metrics.steps.labels(step, "failed").observe(asyncio.get_running_loop().time() - started)
        if case.operation is not None:
            operation, detail = case.operation, error.detail
            await tools.database.write(lambda tx: operations.end_step(tx, operation.id, step, clock.text(clock.now()), detail))
        raise
    tools.metrics.steps.labels(step, "done").observe(asyncio.get_running_loop().time() - started)
    failpoint(f"{request}.{step}.after")


def _begin(tx: Tx, tools: Tools, tenant_id: TenantId, generation: int, step: Step, todo: tuple[Step, ...], *, first: bool) -> Case:
    """Load again and write down that the step begins (and the one before ended), in one transaction. Raises Superseded."""
    case = load(tx, tools.settings, tenant_id)
    if case is None or case.tenant.generation != generation:
        raise Superseded
    if is_waiting(case):
        return replace(case, operation=None)  # a dead route is taken away; the operation goes on waiting
    if case.operation is not None:
        at = clock.text(clock.now())
        if first:
            operations.begin(tx, case.operation.id, at)
            operations.plan_steps(tx, case.operation.id, todo)
        else:
            operations.end_step(tx, case.operation.id, todo[todo.index(step) - 1], at)
        operations.begin_step(tx, case.operation.id, step, at)
    return case


async def _settle(tools: Tools, case: Case, seen: Seen) -> None:
    """Everything is as wanted, or the next attempt is not due yet."""
    tenant = case.tenant
    if seen.is_waiting:
        return
    if tenant.wanted == Wanted.RUNNING and tenant.is_unproven:
        await verified(tools, case)  # another row for the image that runs: nothing had to be started again for it
    container = "absent" if seen.container is None else "running" if seen.container.is_running else "stopped"
    changes: dict[str, object] = {}
    if tenant.seen_generation != tenant.generation:
        changes["seen_generation"] = tenant.generation
    if tenant.seen_container != container:
        changes["seen_container"] = container
    if tenant.error_code is not None:
        changes |= {"error_code": None, "error_detail": None, "error_hint": None, "next_attempt_at": None}
    if not changes and case.operation is None:
        return
    at = clock.text(clock.now())

    def write(tx: Tx) -> None:
        if tenants.record_seen(tx, tenant.id, tenant.generation, at, changes) and case.operation is not None:
            _end(tx, tenant, case.operation, at)

    await tools.database.write(write)


def _end(tx: Tx, tenant: Tenant, operation: Operation, at: str) -> None:
    """What was asked for is so; or as far as it could be, when the revision or image that came with it was taken back."""
    for step in operations.steps_of(tx, operation.id):
        if step.status == "running":
            operations.end_step(tx, operation.id, step.name, at)
    if tenant.wanted != Wanted.RUNNING or not tenant.is_rolled_back:
        operations.succeed(tx, operation.id, at)
    elif tenant.refused_image_id == tenant.last_good_image_id:
        detail = f"Revision {tenant.refused_revision} of `{tenant.slug}` was taken back: {tenant.refused_reason}"
        hint = f"it runs with revision {tenant.revision}; change the settings and save again"
        operations.fail(tx, operation.id, at, "revision.refused", detail, hint)
    else:
        new = "" if tenant.refused_revision == tenant.last_good_revision else f" with revision {tenant.refused_revision}"
        detail = f"Image {_reference(tx, tenant.refused_image_id)}{new} was taken back from `{tenant.slug}`: {tenant.refused_reason}"
        hint = f"it runs with {_reference(tx, tenant.image)} and revision {tenant.revision}; choose an image that takes its settings"
        operations.fail(tx, operation.id, at, "image.refused", detail, hint)


def _reference(tx: Tx, image_id: ImageId | None) -> str:
    image = images.get(tx, image_id or "")
    return image.reference if image else "that is gone"


async def take_back(tools: Tools, tenant_id: TenantId, generation: int | None, words: str, for_image: bool = False) -> bool:
    """What is wanted is given up for the last good revision and image, where there are any. What was asked for goes on, and ends as failed
    with the words. `for_image`: only another image is to blame.
    """
    at = clock.text(clock.now())

    def write(tx: Tx) -> bool:
        tenant = tenants.get(tx, tenant_id)
        if tenant is None or tenant.generation != generation or not tenant.is_unproven:
            return False
        new_image = tenant.image_id != tenant.last_good_image_id
        if for_image and not new_image:
            return False
        refused = tenant.wanted_revision
        seen = {"refused_revision": refused, "refused_image_id": tenant.image_id, "refused_reason": words[:500], **tenants.NO_ERROR}
        tenants.record_seen(tx, tenant_id, tenant.generation, at, seen)
        revisions.set_outcome(tx, tenant_id, refused, "refused", words[:500])
        subject = "image" if new_image else "revision"
        told: dict[str, Any] = {"slug": tenant.slug, "revision": refused, "image_id": tenant.image_id, "reason": words[:500]}
        events.append(tx, at, f"{subject}.taken_back", tenant_id=tenant_id, **told)
        changes: dict[str, object] = {"revision": [refused, tenant.last_good_revision]} if refused != tenant.last_good_revision else {}
        changes |= {"image": [tenant.image_id, tenant.last_good_image_id]} if new_image else {}
        audit.append(tx, Entry(at, "system:converge", f"{subject}.take_back", tenant_id, tenant_id, changes=changes))
        return True

    request = tools.database.read(lambda tx: tenants.get(tx, tenant_id))
    failpoint(f"{request.last_request if request else ''}.take_back.before")
    done = await tools.database.write(write)
    if done:
        failpoint(f"{request.last_request if request else ''}.take_back.after")
        logger.info("a revision or image was taken back", tenant=tenant_id, reason=words)
    return done


async def record_failure(tools: Tools, tenant_id: TenantId, generation: int | None, error: PlatformError) -> None:
    """Record what went wrong and when it is tried again, for the tenant and for the operation; nothing for a wish that is no longer the last."""
    tools.edge.wake()  # a tenant that never got as far as its route has an address all the same, with the page for stopped ones
    now = clock.now()
    logger.info("a tenant could not be brought to what is wanted", tenant=tenant_id, code=error.code, error=error.detail)

    def write(tx: Tx) -> None:
        tenant = tenants.get(tx, tenant_id)
        if tenant is None or tenant.deleted_at is not None or tenant.generation != generation:
            return
        failures = tenant.failures if error.code in UNREACHABLE else tenant.failures + 1
        wait_s = _wait_s(error.code, failures)
        next_attempt_at = clock.text(now + timedelta(seconds=wait_s))
        at = clock.text(now)
        changes: dict[str, object] = {
            "failures": failures,
            "error_code": error.code,
            "error_detail": error.detail,
            "error_hint": error.hint,
            "next_attempt_at": next_attempt_at,
        }
        tenants.record_seen(tx, tenant_id, tenant.generation, at, changes)
        operation = operations.open_of(tx, tenant_id)
        if operation is None:
            return
        if has_failed(error.code, failures):
            operations.fail(tx, operation.id, at, error.code, error.detail, error.hint)
        else:
            operations.wait(tx, operation.id, at, error.code, error.detail, error.hint, next_attempt_at)

    await tools.database.write(write)


def _wait_s(code: str, failures: int) -> float:
    if code in UNREACHABLE | EDGE:
        return backoff.UNREACHABLE_S
    if code in OTHER_NUMBER and failures < ATTEMPTS_BEFORE_FAILED:
        return 0
    return backoff.delay_s(failures, random.random())  # noqa: S311
