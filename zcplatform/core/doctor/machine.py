"""The machine: kernel, disk, clock, users, and where the audit log is anchored."""

from collections.abc import Iterator
from datetime import UTC, datetime

from zcplatform.core.doctor.facts import Facts
from zcplatform.core.doctor.finding import Finding, ok, problem, unknown, version, warning

MIN_NOSWAP_KERNEL = (6, 4)
ENOUGH_DISK_BYTES = 5 * 1024**3
LITTLE_DISK_BYTES = 1024**3
_RELEASED = datetime(2026, 11, 1, tzinfo=UTC)


def kernel(facts: Facts) -> Iterator[Finding]:
    if version(facts.kernel) >= MIN_NOSWAP_KERNEL:
        yield ok("noswap", f"Linux {facts.kernel} keeps the secrets of agents out of swap.")
    elif not facts.swap_is_active:
        yield warning("noswap", f"Linux {facts.kernel} cannot keep memory out of swap, and no swap is active now.", "keep swap off")
    elif facts.allow_swap:
        yield warning(
            "noswap", "The secrets of agents may be written to swap; allow_swap permits it.", "make sure that the swap device is encrypted"
        )
    else:
        yield problem(
            "noswap",
            "The secrets of agents could be written to swap, so no tenant is started.",
            "use Linux 6.4 or later, or run swapoff -a",
        )
    if facts.cgroup == 1:
        yield ok("cgroup", "cgroup v1: limits apply.")
    else:
        yield ok("cgroup", "cgroup v2: limits apply.")
    if facts.core_pattern.startswith("|"):
        yield warning(
            "core_pattern",
            f"Core dumps are passed to a program on this host ({facts.core_pattern[1:].split(' ')[0]}).",
            "nothing to do for agents, which write none; other programs may",
        )


def disk(facts: Facts) -> Iterator[Finding]:
    for path, free in facts.free_bytes.items():
        size = f"{free / 1024**3:.1f} GB"
        if free < LITTLE_DISK_BYTES:
            yield problem("disk", f"Only {size} are free below {path}.", "free some space")
        elif free < ENOUGH_DISK_BYTES:
            yield warning("disk", f"{size} are free below {path}.", "free some space before it runs out")
        else:
            yield ok("disk", f"{size} are free below {path}.")


def clock(facts: Facts) -> Iterator[Finding]:
    if facts.now < _RELEASED:
        yield problem(
            "clock", f"The clock says {facts.now:%Y-%m-%d}, before this version was released.", "set the clock: sign-in depends on it"
        )
    elif facts.clock_is_synchronized is False:
        yield warning("clock", "The clock is not synchronized.", "run systemd-timesyncd or chrony")
    else:
        yield ok("clock", "The clock is synchronized." if facts.clock_is_synchronized else "The clock is plausible.")


def users(facts: Facts) -> Iterator[Finding]:
    if not facts.is_root:
        yield unknown("web_user", f"Only root can check whether user {facts.web_user} can run the program.")
    elif facts.web_blocker:
        yield problem(
            "web_user",
            f"User {facts.web_user} cannot run the program: {facts.web_blocker} is not accessible to it.",
            f"chmod o+rx {facts.web_blocker}",
        )
    elif not facts.web_user_exists:
        yield warning("web_user", f"User {facts.web_user} does not exist yet.", "the first start creates it")
    else:
        yield ok("web_user", f"User {facts.web_user} can run the program.")
    if facts.unmapped_uids:
        yield problem(
            "uids",
            f"The range of user ids for tenants does not exist here: {facts.unmapped_uids}.",
            "give this container or machine more ids, or set `uids` to a range within them",
        )
    elif facts.overlapping_uids:
        yield problem("uids", f"The range of user ids for tenants overlaps {facts.overlapping_uids}.", "set `uids` to a free range")
    else:
        yield ok("uids", "The range of user ids for tenants is free.")


def anchors(facts: Facts) -> Iterator[Finding]:
    if facts.anchor_trouble and not facts.is_root:
        yield unknown("audit_anchor", "Only root can check where the audit log is anchored.")
    elif facts.anchor_trouble:
        yield problem(
            "audit_anchor", f"The audit log cannot be anchored: {facts.anchor_trouble}", "see `audit_anchor` in docs/reference/audit.md"
        )
    else:
        yield ok("audit_anchor", "The audit log can be anchored.")
