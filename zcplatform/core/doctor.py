"""What is wrong with a host, said in sentences: findings from facts. Pure; the facts come from adapters/host.py.

`problem`: something promised is not true on this host. `warning`: it is true, with a risk that a person should know. A minimum is the
lowest version that has what we rely on or lacks a hole we know of; distributions mend old versions, so a warning says to look.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

MIN_ENGINE = (20, 10)
MIN_CADDY = (2, 7)
MIN_SQLITE = (3, 51, 3)
MIN_NOSWAP_KERNEL = (6, 4)
ENOUGH_DISK_BYTES = 5 * 1024**3
LITTLE_DISK_BYTES = 1024**3
_RELEASED = datetime(2026, 11, 1, tzinfo=UTC)


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    level: Level
    subject: str
    sentence: str
    advice: str = ""


@dataclass(frozen=True)
class Facts:
    """Empty text or None: could not be found out."""

    engine: str
    engine_error: str
    runc: str
    live_restore: bool
    sqlite: str
    caddy: str
    python: str
    kernel: str
    cgroup: int
    swap_is_active: bool
    allow_swap: bool
    iptables: str
    ip6tables: str
    has_ipv6: bool
    taken_ports: tuple[int, ...]
    """Of the two public ports, those that somebody listens on."""
    edge_answers: bool
    free_bytes: dict[str, int]
    """Free space below each directory that is ours or the engine's."""
    now: datetime
    clock_is_synchronised: bool | None
    web_user: str
    web_user_exists: bool
    web_blocker: str
    """The folder or file that keeps the web user from running the program."""
    overlapping_uids: str
    core_pattern: str
    anchor_trouble: str
    """Why the audit log can not be anchored now."""


def findings(facts: Facts) -> list[Finding]:
    """In the order in which a person would mend them."""
    return [
        *_engine(facts),
        *_runc(facts),
        *_versions(facts),
        *_kernel(facts),
        *_firewall(facts),
        *_ports(facts),
        *_disk(facts),
        *_clock(facts),
        *_users(facts),
        *_anchors(facts),
    ]


def version(text: str) -> tuple[int, ...]:
    """The leading numbers of a version, wherever it starts: `v2.11.7 h1:…`, `1.1.5+ds1`, `6.18.44-generic`."""
    found = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _ok(subject: str, sentence: str) -> Finding:
    return Finding(Level.OK, subject, sentence)


def _warning(subject: str, sentence: str, advice: str) -> Finding:
    return Finding(Level.WARNING, subject, sentence, advice)


def _problem(subject: str, sentence: str, advice: str) -> Finding:
    return Finding(Level.PROBLEM, subject, sentence, advice)


def _engine(facts: Facts) -> Iterator[Finding]:
    if not facts.engine:
        yield _problem("engine", facts.engine_error or "The Docker engine does not answer.", "install and start docker.io or Docker Engine")
        return
    if version(facts.engine) < MIN_ENGINE:
        yield _problem("engine", f"Docker {facts.engine} is too old.", "20.10 is the least, a current one is better")
    else:
        yield _ok("engine", f"Docker {facts.engine} answers.")
    if not facts.live_restore:
        yield _warning(
            "live_restore",
            "A restart of the engine stops all tenants; the platform starts them again.",
            'put {"live-restore": true} into /etc/docker/daemon.json and reload the engine',
        )


def _runc(facts: Facts) -> Iterator[Finding]:
    """CVE-2025-31133, -52565, -52881: a container may get out through writes below /proc."""
    if not facts.runc:
        if facts.engine:
            yield _warning("runc", "The version of runc could not be found out.", "it should be 1.2.8, 1.3.3 or later")
        return
    found = version(facts.runc)
    if found >= (1, 3, 3) or (1, 2, 8) <= found < (1, 3):
        yield _ok("runc", f"runc {facts.runc} is current.")
    else:
        yield _warning(
            "runc",
            f"runc {facts.runc} has holes through which a container can get out (CVE-2025-31133, -52565, -52881), unless the distribution mended them.",
            "update the packages of runc and the engine; 1.2.8 and 1.3.3 are mended",
        )


def _versions(facts: Facts) -> Iterator[Finding]:
    if version(facts.sqlite) < MIN_SQLITE:
        yield _problem(
            "sqlite", f"SQLite {facts.sqlite} can damage a database (3.7.0 to 3.51.2).", "install the locked packages: scripts/venv"
        )
    else:
        yield _ok("sqlite", f"SQLite {facts.sqlite} is current.")
    if not facts.caddy:
        yield _problem("caddy", "No Caddy can be run.", "install the locked packages, or set caddy_binary")
    elif version(facts.caddy) < MIN_CADDY:
        yield _problem(
            "caddy", f"Caddy {facts.caddy} closes every open chat when any tenant changes.", "2.7 or later; leave caddy_binary unset"
        )
    else:
        yield _ok("caddy", f"Caddy {facts.caddy} can be run.")
    yield _ok("python", f"Python {facts.python}.")


def _kernel(facts: Facts) -> Iterator[Finding]:
    if version(facts.kernel) >= MIN_NOSWAP_KERNEL:
        yield _ok("noswap", f"Linux {facts.kernel} keeps the secrets of agents out of swap.")
    elif not facts.swap_is_active:
        yield _warning("noswap", f"Linux {facts.kernel} cannot keep memory out of swap, and no swap is active now.", "leave swap off")
    elif facts.allow_swap:
        yield _warning("noswap", "The secrets of agents may be written to swap; allow_swap permits it.", "make sure that swap is encrypted")
    else:
        yield _problem(
            "noswap", "The secrets of agents would be written to swap: no tenant is started.", "Linux 6.4 or later, or swapoff -a"
        )
    if facts.cgroup == 1:
        yield _ok("cgroup", "cgroup v1: limits hold.")
    else:
        yield _ok("cgroup", "cgroup v2.")
    if facts.core_pattern.startswith("|"):
        yield _warning(
            "core_pattern",
            f"Crashes are handed to a program on this host ({facts.core_pattern[1:].split(' ')[0]}).",
            "agents write no cores; others may",
        )


def _firewall(facts: Facts) -> Iterator[Finding]:
    missing = [name for name, found in (("iptables", facts.iptables), ("ip6tables", facts.ip6tables or not facts.has_ipv6)) if not found]
    if missing:
        yield _problem("iptables", f"{' and '.join(missing)} cannot be run: no tenant is started without the firewall.", "install iptables")
    else:
        yield _ok("iptables", f"{facts.iptables} can be run.")


def _ports(facts: Facts) -> Iterator[Finding]:
    if not facts.taken_ports:
        yield _ok("ports", "The public ports are free.")
    elif facts.edge_answers:
        yield _ok("ports", "The edge listens on the public ports.")
    else:
        ports = " and ".join(str(port) for port in facts.taken_ports)
        yield _problem("ports", f"Another program listens on port {ports}.", "stop it, or set http_port and https_port")


def _disk(facts: Facts) -> Iterator[Finding]:
    for path, free in facts.free_bytes.items():
        size = f"{free / 1024**3:.1f} GB"
        if free < LITTLE_DISK_BYTES:
            yield _problem("disk", f"Only {size} are free below {path}.", "make room")
        elif free < ENOUGH_DISK_BYTES:
            yield _warning("disk", f"{size} are free below {path}.", "make room before it runs full")
        else:
            yield _ok("disk", f"{size} are free below {path}.")


def _clock(facts: Facts) -> Iterator[Finding]:
    if facts.now < _RELEASED:
        yield _problem(
            "clock", f"The clock says {facts.now:%Y-%m-%d}, which is before this version was made.", "set the clock: sign-in depends on it"
        )
    elif facts.clock_is_synchronised is False:
        yield _warning("clock", "Nothing keeps the clock right.", "run systemd-timesyncd or chrony")
    else:
        yield _ok("clock", "The clock is right.")


def _users(facts: Facts) -> Iterator[Finding]:
    if facts.web_blocker:
        yield _problem(
            "web_user",
            f"User {facts.web_user} cannot run the program: {facts.web_blocker} is closed to it.",
            f"chmod o+rx {facts.web_blocker}",
        )
    elif not facts.web_user_exists:
        yield _warning("web_user", f"User {facts.web_user} does not exist yet.", "the first start makes it")
    else:
        yield _ok("web_user", f"User {facts.web_user} can run the program.")
    if facts.overlapping_uids:
        yield _problem("uids", f"The range of user ids for tenants overlaps {facts.overlapping_uids}.", "set `uids` to a free range")
    else:
        yield _ok("uids", "The range of user ids for tenants is free.")


def _anchors(facts: Facts) -> Iterator[Finding]:
    if facts.anchor_trouble:
        yield _problem(
            "audit_anchor", f"The audit log can not be anchored: {facts.anchor_trouble}", "docs/reference/audit.md; see `audit_anchor`"
        )
    else:
        yield _ok("audit_anchor", "The audit log can be anchored.")
