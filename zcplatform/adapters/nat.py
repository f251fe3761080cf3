"""Read where published ports lead: the engine's rules in the nat table, and its proxy processes.

Both lead a port of this machine to an address in a network of the engine. An engine that was killed can leave some for a container that
is gone; a flush of the tables removes all rules.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zcplatform.errors import StepFailed

_LOCK_WAIT_S = "10"
_DEADLINE_S = 30
_RULE = re.compile(r"-A DOCKER (?:-d (\S+) )?(?:.* )?-p tcp (?:.* )?--dport (\d+) -j DNAT --to-destination (\S+)")
_LOOPBACK, _ANYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104  compared with, not bound


@dataclass(frozen=True)
class Published:
    has_chain: bool
    """Whether the engine's chain exists."""
    leads: dict[int, str]
    """Port → `address:port` of the first rule, or of the proxy, that receives its packets."""


async def published() -> Published | None:
    """Return the rules; None if no such table can be read: the engine may keep its rules elsewhere."""
    try:
        process = await asyncio.create_subprocess_exec(
            "iptables", "-w", _LOCK_WAIT_S, "-t", "nat", "-S", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
    except FileNotFoundError:
        raise StepFailed("firewall.missing", "iptables is not installed", "Install iptables; no tenant is started without it") from None
    try:
        async with asyncio.timeout(_DEADLINE_S):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    if process.returncode != 0:
        return None
    return of_listing(out.decode(errors="replace").splitlines(), await asyncio.to_thread(lambda: list(_proxies())))


def of_listing(lines: Iterable[str], proxies: Iterable[tuple[int, str]]) -> Published:
    leads: dict[int, str] = {}
    has_chain = False
    for line in lines:
        has_chain = has_chain or line == "-N DOCKER"
        found = _RULE.fullmatch(line)
        if found is not None and found[1] in (None, f"{_LOOPBACK}/32"):
            leads.setdefault(int(found[2]), found[3])
    # A proxy listens itself: packets of this machine never come to the rule.
    return Published(has_chain, leads | dict(proxies))


def _proxies(proc: Path = Path("/proc")) -> Iterator[tuple[int, str]]:
    """Of root's processes only: an agent, or any user of this machine, may run one that is called so."""
    for process in proc.glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            if not arguments[0].endswith(b"docker-proxy") or not _is_roots((process / "status").read_bytes()):
                continue
        except OSError:
            continue
        options = dict(zip(arguments[1::2], arguments[2::2], strict=False))
        try:
            proto, listens = options[b"-proto"].decode(), options[b"-host-ip"].decode()
            port, leads = int(options[b"-host-port"]), f"{options[b'-container-ip'].decode()}:{int(options[b'-container-port'])}"
        except (KeyError, ValueError):
            continue
        if proto == "tcp" and listens in (_LOOPBACK, _ANYWHERE):
            yield port, leads


def _is_roots(status: bytes) -> bool:
    """By its user ids. The owner of its folder is no proof: that is root's for every process that may not be dumped."""
    found = re.search(rb"^Uid:\t(\d+)\t(\d+)\t(\d+)\t(\d+)$", status, re.MULTILINE)
    return found is not None and set(found.groups()) == {b"0"}
