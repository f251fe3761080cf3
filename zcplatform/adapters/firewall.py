"""Compare and rewrite the iptables chains of this installation, and nothing else.

Works with both back ends (nft, legacy), before the engine's first start, and after all tables were flushed. core/firewall.py decides the rules.
"""

import asyncio
import socket
import struct
from pathlib import Path

from zcplatform.core.firewall import Rules, Table, removal, rewrite, stands
from zcplatform.errors import StepFailed

_LOCK_WAIT_S = "10"
_DEADLINE_S = 60
# linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h: NFNL_SUBSYS_NFTABLES and NFT_MSG_GETGEN, NFT_MSG_NEWGEN; its first attribute is the number.
_NETLINK_NETFILTER, _REQUEST = 12, 1
_NEW_GENERATION, _GET_GENERATION = 10 << 8 | 15, 10 << 8 | 16


def generation() -> int | None:
    """Return the kernel's generation number of nf_tables in this network namespace; None if unknown. Every change of rules changes it."""
    request = struct.pack("=IHHIIBBH", 20, _GET_GENERATION, _REQUEST, 1, 0, 0, 0, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER) as kernel:
            kernel.settimeout(1)
            kernel.send(request)
            answer = kernel.recv(4096)
    except OSError:
        return None
    if len(answer) < 28 or struct.unpack_from("=H", answer, 4)[0] != _NEW_GENERATION or struct.unpack_from("=HH", answer, 20) != (8, 1):
        return None
    return int(struct.unpack_from(">I", answer, 24)[0])


async def counts_generations(rules: Rules) -> bool:
    """Whether these programs keep their rules in nf_tables. Legacy tables have no generation number."""
    return all(["nf_tables" in await _run(family, "-V") for family, _ in _families(rules)])


async def standing(rules: Rules) -> bool:
    for family, table in _families(rules):
        if not stands(table, await _listing(family)):
            return False
    return True


async def apply(rules: Rules) -> None:
    """Put the rules in place. Tables that are already correct are not written."""
    for family, table in _families(rules):
        listing = await _listing(family)
        if stands(table, listing):
            continue
        await _run(f"{family}-restore", "--noflush", "-w", _LOCK_WAIT_S, stdin=rewrite(table, listing))
        if not stands(table, await _listing(family)):
            raise StepFailed(
                "firewall.not_in_place", f"{family} accepted the rules, but they are not in place", "Find the program that rewrites them"
            )


async def nat_listing() -> list[str]:
    """Return the rules of the nat table, which belongs to the engine."""
    return (await _run("iptables", "-w", _LOCK_WAIT_S, "-t", "nat", "-S")).splitlines()


async def remove(rules: Rules) -> None:
    for family, table in _families(rules):
        text = removal(table, await _listing(family))
        if text is not None:
            await _run(f"{family}-restore", "--noflush", "-w", _LOCK_WAIT_S, stdin=text)


def _families(rules: Rules) -> list[tuple[str, Table]]:
    families = [("iptables", rules.v4)]
    if Path("/proc/net/if_inet6").exists():
        families.append(("ip6tables", rules.v6))
    return families


async def _listing(family: str) -> list[str]:
    return (await _run(family, "-w", _LOCK_WAIT_S, "-S")).splitlines()


async def _run(program: str, *arguments: str, stdin: str = "") -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        raise StepFailed("firewall.missing", f"{program} is not installed", "Install iptables; no tenant is started without it") from None
    try:
        async with asyncio.timeout(_DEADLINE_S):
            out, err = await process.communicate(stdin.encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise StepFailed(
            "firewall.stuck", f"{program} did not end within {_DEADLINE_S} s", "Find the process that holds /run/xtables.lock"
        ) from None
    if process.returncode != 0:
        words = " ".join(err.decode(errors="replace").split())[:300]
        raise StepFailed("firewall.refused", f"{program} failed: {words}", "Run it as root on a kernel with netfilter")
    return out.decode(errors="replace")
