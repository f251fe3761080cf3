"""A tenant's row, and the state shown for it: a pure function of desired state, observed state and last error."""

from dataclasses import dataclass
from enum import StrEnum

from zcplatform.core.holds import Hold, HoldKind, effective_wanted
from zcplatform.core.holds import Wanted as Wanted
from zcplatform.ids import LOCAL, ImageId, NodeId, TenantId


class Request(StrEnum):
    """The latest request. It only decides which word describes work in progress, such as deploying or restarting."""

    CREATE = "create"
    DEPLOY = "deploy"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    UPDATE = "update"
    DELETE = "delete"


class State(StrEnum):
    DRAFT = "draft"
    DEPLOYING = "deploying"
    RUNNING = "running"
    DEGRADED = "degraded"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    OVER_QUOTA = "over_quota"
    RESTARTING = "restarting"
    CRASH_LOOP = "crash_loop"
    FAILED = "failed"
    DELETING = "deleting"
    UNKNOWN = "unknown"


_WANTED = frozenset(Wanted)
HELD = {HoldKind.SUSPENDED: State.SUSPENDED, HoldKind.QUOTA: State.OVER_QUOTA}
ENGINE_UNREACHABLE = "engine.unreachable"
ATTEMPTS_BEFORE_FAILED = 3
PERMANENT = frozenset({"image.missing", "image.not_allowed", "container.foreign", "network.foreign", "host.exhausted", "tenant.invalid"})
"""Errors that a retry is unlikely to fix: the tenant is shown as failed at once instead of after three attempts. Retries continue."""
CRASHES = frozenset({"agent.exited", "agent.unhealthy"})
IMAGE_GONE = frozenset({"image.missing", "image.not_allowed"})
"""Errors that roll a tenant back to its last good image, if another one is desired."""
UNREACHABLE = frozenset({ENGINE_UNREACHABLE, "edge.unreachable", "engine.rules_gone"})
"""Errors of the host, not of the tenant: the worker waits, however long it takes."""
OTHER_NUMBER = frozenset({"container.port_taken", "container.port_dead", "network.subnet_taken"})
"""A port or subnet is in use by something else. The next attempt uses another one, without backoff."""
EDGE = frozenset({"engine.rules_gone", "edge.unreachable", "edge.rejected", "edge.conflict", "edge.not_verified"})


@dataclass(frozen=True)
class Tenant:
    """One row of `tenants`; the field names are the column names."""

    id: TenantId
    slug: str
    name: str
    plan: str
    image_id: ImageId | None
    wanted: str
    last_request: str
    wanted_revision: int
    wanted_epoch: int
    generation: int
    seen_generation: int
    seen_container: str
    seen_config: str | None
    seen_healthy: int
    seen_healthy_at: str | None
    seen_upstream: str | None
    """Where the edge last sent visitors. Only a hint: a route is set after the place confirms the workload's address."""
    seen_verified: int
    seen_probe_failures: int
    failures: int
    error_code: str | None
    error_detail: str | None
    error_hint: str | None
    next_attempt_at: str | None
    state: str
    reason: str
    created_at: str
    updated_at: str
    deleted_at: str | None
    checked_revision: int | None = None
    """The revision that last passed the agent's configuration check."""
    last_good_revision: int | None = None
    """The last revision with which the agent was healthy and reachable."""
    rejected_revision: int | None = None
    """The revision that was rolled back: the check rejected it, or the agent did not become healthy with it."""
    rejected_reason: str | None = None
    checked_image_id: ImageId | None = None
    """Each of the three revisions above is paired with the image it was tried on: good and rejected apply to the pair."""
    last_good_image_id: ImageId | None = None
    rejected_image_id: ImageId | None = None
    node_id: NodeId = LOCAL
    """The machine that the tenant runs on."""
    holds: tuple[Hold, ...] = ()
    """Rows of `holds`, read in the same transaction."""

    @property
    def effective_wanted(self) -> Wanted:
        """The desired state with holds applied: a tenant with a hold does not run, even if `wanted` is running.

        An unknown `wanted`, which no request writes, counts as stopped, so that reading all tenants does not fail.
        """
        known = Wanted(self.wanted) if self.wanted in _WANTED else Wanted.STOPPED
        return effective_wanted(known, self.holds)

    def hold(self, kind: HoldKind) -> Hold | None:
        return next((hold for hold in self.holds if hold.kind is kind), None)

    @property
    def revision(self) -> int:
        """The revision to run: the desired one, or the last good one if that was rolled back."""
        return self.last_good_revision if self.is_rolled_back and self.last_good_revision is not None else self.wanted_revision

    @property
    def image(self) -> ImageId | None:
        """The image to run: the desired one (`image_id`), or the last good one if that was rolled back."""
        return self.last_good_image_id if self.is_rolled_back else self.image_id

    @property
    def is_rolled_back(self) -> bool:
        """Whether the desired revision and image were rejected, and a good pair runs instead."""
        wanted = (self.wanted_revision, self.image_id)
        return self.last_good_revision is not None and (self.rejected_revision, self.rejected_image_id) == wanted

    @property
    def is_unproven(self) -> bool:
        """Whether the revision or image to run differs from the last good pair, which a failure would return to."""
        return self.last_good_revision is not None and (self.revision, self.image) != (self.last_good_revision, self.last_good_image_id)

    @property
    def needs_check(self) -> bool:
        return self.is_unproven and (self.checked_revision, self.checked_image_id) != (self.revision, self.image)


def state(tenant: Tenant) -> tuple[State, str]:
    """Return the state and the reason for it, as shown to users."""
    match tenant.effective_wanted:
        case Wanted.DRAFT if tenant.holds:
            return _held(tenant)
        case Wanted.DRAFT:
            return State.DRAFT, "created, not deployed yet"
        case Wanted.ABSENT:
            return State.DELETING, tenant.error_detail or "being deleted"
        case Wanted.STOPPED:
            return _stopped(tenant)
        case Wanted.RUNNING:
            return _running(tenant)


def _stopped(tenant: Tenant) -> tuple[State, str]:
    if tenant.error_code == ENGINE_UNREACHABLE and tenant.seen_container != "stopped":
        return State.UNKNOWN, f"waiting: {tenant.error_detail}"
    if tenant.seen_generation == tenant.generation and tenant.holds:
        return _held(tenant)
    if tenant.seen_generation == tenant.generation:
        return State.STOPPED, "stopped on request"
    return State.STOPPING, tenant.error_detail or "stopping the agent"


def _held(tenant: Tenant) -> tuple[State, str]:
    """Return the state of the most important hold (in the order of HoldKind), with the reasons of all holds."""
    holds = sorted(tenant.holds, key=lambda hold: list(HoldKind).index(hold.kind))
    return HELD[holds[0].kind], "; ".join(f"{HELD[hold.kind].replace('_', ' ')}: {hold.reason}" for hold in holds)


def _running(tenant: Tenant) -> tuple[State, str]:
    settled = tenant.seen_generation == tenant.generation
    serving = tenant.seen_container == "running" and bool(tenant.seen_healthy)
    if tenant.error_code == ENGINE_UNREACHABLE:
        return (State.UNKNOWN if settled else State.DEPLOYING), f"waiting: {tenant.error_detail}"
    if tenant.error_code in EDGE and serving:
        return State.DEGRADED, f"the agent runs, but its address does not lead to it: {tenant.error_detail}"
    if tenant.error_code in CRASHES and tenant.failures >= ATTEMPTS_BEFORE_FAILED:
        return State.CRASH_LOOP, f"{tenant.error_detail} ({tenant.failures} times in a row)"
    if tenant.error_code in PERMANENT or (tenant.error_code is not None and tenant.failures >= ATTEMPTS_BEFORE_FAILED):
        return State.FAILED, tenant.error_detail or "it could not be deployed"
    if settled and serving and tenant.seen_verified:
        return State.RUNNING, _rolled_back(tenant) or "healthy and reachable"
    word = State.DEPLOYING if not settled and tenant.last_request in (Request.DEPLOY, Request.START) else State.RESTARTING
    return word, tenant.error_detail or _rolled_back(tenant) or ("being deployed" if word is State.DEPLOYING else "being started again")


def _rolled_back(tenant: Tenant) -> str | None:
    if tenant.rejected_revision is None or tenant.last_good_revision is None or tenant.is_unproven:
        return None
    new_image = tenant.rejected_image_id != tenant.last_good_image_id
    if tenant.rejected_revision == tenant.last_good_revision:
        return f"still on the previous image; the new one was rolled back: {tenant.rejected_reason}"
    what = f"{tenant.rejected_revision}, on a new image," if new_image else f"{tenant.rejected_revision}"
    return f"running revision {tenant.revision}; revision {what} was rolled back: {tenant.rejected_reason}"


def has_failed(error_code: str, attempts: int) -> bool:
    """Whether an operation fails with this error. Otherwise it waits for the next attempt."""
    if error_code in UNREACHABLE:
        return False
    return error_code in PERMANENT or attempts >= ATTEMPTS_BEFORE_FAILED
