"""Rate limits: request windows, the lock-out after failed authentications, and the key that distinguishes clients."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

WINDOW_S = 60
LOCKOUT_S = 300
MOST_ATTEMPTS = 10
MOST_KEYS = 10_000

Clock = Callable[[], float]


def client_key(peer: str, headers: Mapping[str, str], *, trusts_headers: bool) -> str:
    """Behind a proxy that overwrites the headers: the first valid address in them."""
    if trusts_headers:
        for candidate in [*headers.get("x-forwarded-for", "").split(","), headers.get("x-real-ip", "")]:
            address = _address(candidate)
            if address:
                return address
    return peer


def _address(text: str) -> str | None:
    plain = text.strip().strip('"').strip()
    for candidate in (plain, plain.rpartition(":")[0].strip("[]"), plain.strip("[]")):
        try:
            return str(ipaddress.ip_address(candidate))
        except ValueError:
            continue
    return None


@dataclass
class Window:
    """Limits the requests per minute of one client; 0 means no limit."""

    most: int
    now: Clock
    seen: dict[str, list[float]] = field(default_factory=dict)

    def allows(self, key: str) -> bool:
        if self.most == 0:
            return True
        times = [time for time in self.seen.pop(key, []) if time > self.now() - WINDOW_S]
        is_allowed = len(times) < self.most
        # Inserted last again, so that the first key is the least recently seen.
        self.seen[key] = [*times, self.now()] if is_allowed else times
        if len(self.seen) > MOST_KEYS:
            self.seen.pop(next(iter(self.seen)))
        return is_allowed


@dataclass
class Attempts:
    """Failed authentications; addresses of the machine itself are never locked out."""

    now: Clock
    failed: dict[str, list[float]] = field(default_factory=dict)
    locked: dict[str, float] = field(default_factory=dict)

    def locked_for(self, key: str) -> int | None:
        """Seconds until the client may try again, or None if it may try now."""
        if _is_loopback(key):
            return None
        since = self.locked.get(key)
        if since is not None:
            passed = int(self.now() - since)
            if passed < LOCKOUT_S:
                return LOCKOUT_S - passed
            del self.locked[key]
            self.failed.pop(key, None)
        recent = [time for time in self.failed.get(key, []) if time > self.now() - WINDOW_S]
        if len(recent) < MOST_ATTEMPTS:
            return None
        self.locked[key] = self.now()
        return LOCKOUT_S

    def record(self, key: str) -> None:
        if _is_loopback(key):
            return
        self.failed[key] = [*self.failed.pop(key, [])[-MOST_ATTEMPTS:], self.now()]
        for table in (self.failed, self.locked):
            if len(table) > MOST_KEYS:
                table.pop(next(iter(table)))


def _is_loopback(key: str) -> bool:
    try:
        return ipaddress.ip_address(key).is_loopback
    except ValueError:
        return False
