"""Facts about this host that the doctor evaluates, collected by adapters/facts.py."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Facts:
    """Empty text or None: unknown."""

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
    is_root: bool
    """Only root can look at some things; the findings then say so."""
    taken_ports: tuple[int, ...]
    """Of the two public ports, those that something listens on."""
    edge_answers: bool
    """The edge's admin socket accepts connections."""
    edge_trouble: str
    """Why its public listener does not answer, if it should."""
    is_installed: bool
    """The platform has been started here before."""
    forwards: bool
    engine_rules: bool | None
    """Whether the engine's own firewall rules exist; None: unknown, or not needed yet."""
    has_userland_proxy: bool
    engine_problems: tuple[str, ...]
    """Promises that this engine cannot keep, each as a sentence; after a semicolon what to do."""
    overlaps: tuple[str, ...]
    """Networks of this host inside the pool of the tenants' networks, as text."""
    wider_overlaps: tuple[str, ...]
    """Routes that contain the whole pool."""
    unmapped_uids: str
    """Known without an engine; otherwise it is one of the engine's problems."""
    tls: str
    certificate_trouble: str
    certificate_expires_at: datetime | None
    free_bytes: dict[str, int]
    """Free space of the file systems of our directories and the engine's."""
    now: datetime
    clock_is_synchronized: bool | None
    web_user: str
    web_user_exists: bool
    web_blocker: str
    """The folder or file that prevents the web user from running the program."""
    overlapping_uids: str
    core_pattern: str
    anchor_trouble: str
    """Why the audit log cannot be anchored."""
    database_trouble: str | None = None
    """What is wrong with the schema of the database."""
    loop_troubles: tuple[str, ...] | None = None
    """Loops of the running worker that are late or failing."""
