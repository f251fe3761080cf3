"""The engine's own rules in the nat table, as `iptables -t nat -S` lists them: whether they exist, and whether local connections pass a proxy.

Whoever flushes the tables (`nft flush ruleset`, a reload of another firewall) removes them too. We restore ours; only the engine can restore its own, when it
starts.
"""

from collections.abc import Sequence

_CHAIN = "DOCKER"
_NOT_LOCAL = "! -d 127.0.0.0/8"


def exist(listing: Sequence[str]) -> bool:
    """Whether published ports and the agents' outgoing connections can work."""
    return f"-N {_CHAIN}" in listing and all(_jumps(listing, chain) for chain in ("PREROUTING", "OUTPUT"))


def leave_local_connections_to_a_proxy(listing: Sequence[str]) -> bool:
    """Whether connections to 127.0.0.1 end at the engine's userland proxy, where no rule can see which agent they are for."""
    jumps = _jumps(listing, "OUTPUT")
    return bool(jumps) and all(_NOT_LOCAL in jump for jump in jumps)


def _jumps(listing: Sequence[str], chain: str) -> list[str]:
    return [line for line in listing if line.startswith(f"-A {chain} ") and line.endswith(f" -j {_CHAIN}")]
