"""The firewall of an installation: a constant number of rules, however many tenants there are.

Traffic is matched by its bridge (`zcp` + three characters + anything), never by source address, so a container gains nothing by forging that.
Four chains: IN (from our bridges to this host), FWD (through it), TO (forwarded into our bridges), OUT (from this host's own processes to our
subnets). System chains only jump to them, so a repair is a comparison and one atomic rewrite. DOCKER-USER is the only place in FORWARD before which
the engine never puts its own rules.

Why TO: engines before 28 accept forwarded packets for a port that is published on 127.0.0.1 only, so a neighbour on the wire who adds a route to our
subnets would reach an agent past the edge.

Why OUT: any local user could otherwise connect to an agent past the edge, by its published port or its address. Before OUTPUT the kernel rewrites
a published port to the container's address, while the interface still reads `lo`: hence a match by destination. If the engine runs a userland
proxy, the connection ends at the proxy and this rule does not see it; the doctor warns of that.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

DOCKER_USER = "DOCKER-USER"

CLOSED_RANGES = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
MAIL_PORTS = "25,465,587"

_BEGUN = ("-m conntrack --ctstate ESTABLISHED -j RETURN", "-m conntrack --ctstate RELATED -j RETURN")
"""Two rules: `iptables -S` does not print the states of one rule in the order in which they were given."""

# It never accepts, and a restarted engine puts it first.
_ISOLATION = "-j DOCKER-ISOLATION-STAGE-1"
_OURS = re.compile(r"-A \S+ (-[io] zcp[0-9a-f]{3}\+ -j ZCP[0-9A-F]{3}-(IN|FWD|TO)|-d [0-9./]+ -j ZCP[0-9A-F]{3}-OUT)")


@dataclass(frozen=True)
class Chain:
    name: str
    rules: tuple[str, ...]
    """As `iptables -S` prints them, without `-A NAME`."""


@dataclass(frozen=True)
class Table:
    """The filter table of one family: our chains, and the jumps to them as (system chain, rule)."""

    chains: tuple[Chain, ...]
    jumps: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Rules:
    v4: Table
    v6: Table


def rules(
    bridge_prefix: str, resolvers: Sequence[str], allowed_hosts: Sequence[str], subnets: IPv4Network, callers: Collection[int] = ()
) -> Rules:
    """Return the wanted rules.

    `allowed_hosts`: ADDRESS:PORT pairs (TCP) that the operator opens for all tenants. `callers`: uids beside root whose processes may connect to
    agents.
    """
    if re.fullmatch(r"zcp[0-9a-f]{3}", bridge_prefix) is None:
        raise ValueError(f"{bridge_prefix!r} is not a bridge prefix")
    bridges, name = f"{bridge_prefix}+", bridge_prefix.upper()
    opened = [*_resolver_matches(resolvers), *_host_matches(allowed_hosts)]
    chains = (_into_host(name, opened), _through(name, bridges, opened, subnets), _into_bridges(name), _from_host(name, callers))
    into_host, through, into_bridges, from_host = chains
    closed = tuple(Chain(f"{name}-{end}", ("-j DROP",)) for end in ("IN", "FWD"))
    return Rules(
        v4=Table(
            chains,
            (
                ("INPUT", f"-i {bridges} -j {into_host.name}"),
                (DOCKER_USER, f"-i {bridges} -j {through.name}"),
                (DOCKER_USER, f"-o {bridges} -j {into_bridges.name}"),
                ("OUTPUT", f"-d {subnets} -j {from_host.name}"),
            ),
        ),
        v6=Table(closed, (("INPUT", f"-i {bridges} -j {closed[0].name}"), ("FORWARD", f"-i {bridges} -j {closed[1].name}"))),
    )


def stands(table: Table, listing: Sequence[str]) -> bool:
    """Whether `iptables -S` shows exactly our chains, each jumped to once and before everything except jumps of other installations."""
    if any(chain_rules(chain.name, listing) != list(chain.rules) for chain in table.chains):
        return False
    if not all(f"-N {chain.name}" in listing for chain in table.chains):
        return False
    wanted: dict[str, list[str]] = {}
    for chain, jump in table.jumps:
        wanted.setdefault(chain, []).append(jump)
    return all(_leads(chain, jumps, listing) for chain, jumps in wanted.items()) and _forward_leads(table, listing)


def rewrite(table: Table, listing: Sequence[str]) -> str:
    """Return input for `iptables-restore --noflush` that establishes the table: one commit, all or nothing."""
    lines = ["*filter"]
    if _needs_docker_user(table) and f"-N {DOCKER_USER}" not in listing:
        # The engine adopts the chain when it starts.
        lines.append(f":{DOCKER_USER} - [0:0]")
    lines += [f":{chain.name} - [0:0]" for chain in table.chains]
    lines += [f"-A {chain.name} {rule}" for chain in table.chains for rule in chain.rules]
    lines += _without_jumps(table, listing)
    lines += [f"-I {chain} 1 {jump}" for chain, jump in reversed(table.jumps)]
    if _needs_docker_user(table) and not _forward_leads(table, listing):
        lines += ["-D FORWARD -j DOCKER-USER" for line in listing if line == f"-A FORWARD -j {DOCKER_USER}"]
        lines.append(f"-I FORWARD 1 -j {DOCKER_USER}")
    return "\n".join([*lines, "COMMIT", ""])


def removal(table: Table, listing: Sequence[str]) -> str | None:
    """Return input that removes everything of this installation; None if there is nothing. DOCKER-USER stays."""
    present = [chain.name for chain in table.chains if f"-N {chain.name}" in listing]
    jumps = _without_jumps(table, listing)
    if not present and not jumps:
        return None
    lines = ["*filter", *(f":{name} - [0:0]" for name in present), *jumps, *(f"-X {name}" for name in present)]
    return "\n".join([*lines, "COMMIT", ""])


def chain_rules(chain: str, listing: Sequence[str]) -> list[str]:
    start = f"-A {chain} "
    return [line.removeprefix(start) for line in listing if line.startswith(start)]


def _into_host(name: str, opened: Sequence[str]) -> Chain:
    return Chain(
        f"{name}-IN",
        ("-m conntrack --ctstate ESTABLISHED -j ACCEPT", *(f"{match} -j ACCEPT" for match in opened), "-j DROP"),
    )


def _through(name: str, bridges: str, opened: Sequence[str], subnets: IPv4Network) -> Chain:
    return Chain(
        f"{name}-FWD",
        (
            "-m conntrack --ctstate ESTABLISHED -j RETURN",
            # A socket may bind a foreign address; such packets would leave this host without NAT.
            f"! -s {subnets} -j DROP",
            f"-o {bridges} -j DROP",
            *(f"{match} -j RETURN" for match in opened),
            *(f"-d {closed} -j DROP" for closed in CLOSED_RANGES),
            f"-p tcp -m multiport --dports {MAIL_PORTS} -j DROP",
        ),
    )


def _into_bridges(name: str) -> Chain:
    return Chain(f"{name}-TO", (*_BEGUN, "-j DROP"))


def _from_host(name: str, callers: Collection[int]) -> Chain:
    """Established connections come first: the last packets of one have no owner any more.

    Neither has what the kernel itself reports about a connection (RELATED). Without its "packet too big", an agent behind a link with a smaller
    MTU than its bridge's would wait forever for answers to larger requests.
    """
    owners = [f"-m owner --uid-owner {int(uid)} -j RETURN" for uid in sorted({0, *callers})]
    return Chain(f"{name}-OUT", (*_BEGUN, *owners, "-j DROP"))


def _resolver_matches(resolvers: Sequence[str]) -> list[str]:
    return [
        f"-d {IPv4Address(resolver)}/32 -p {protocol} -m {protocol} --dport 53" for resolver in resolvers for protocol in ("udp", "tcp")
    ]


def _host_matches(allowed_hosts: Sequence[str]) -> list[str]:
    matches = []
    for pair in allowed_hosts:
        host, _, port = pair.rpartition(":")
        if not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65_536:
            raise ValueError(f"{pair!r} is not ADDRESS:PORT")
        matches.append(f"-d {IPv4Address(host)}/32 -p tcp -m tcp --dport {int(port)}")
    return matches


def _leads(chain: str, jumps: list[str], listing: Sequence[str]) -> bool:
    """Whether our jumps precede everything but other installations' jumps, so that installations never compete for the first place."""
    found = [line for line in listing if line.startswith(f"-A {chain} ")]
    for jump in jumps:
        line = f"-A {chain} {jump}"
        if found.count(line) != 1 or not all(_OURS.fullmatch(before) for before in found[: found.index(line)]):
            return False
    return True


def _needs_docker_user(table: Table) -> bool:
    return any(chain == DOCKER_USER for chain, _ in table.jumps)


def _forward_leads(table: Table, listing: Sequence[str]) -> bool:
    """Whether FORWARD starts with DOCKER-USER. After a flush the engine's jump is missing until the engine restarts."""
    if not _needs_docker_user(table):
        return True
    found = [rule for rule in chain_rules("FORWARD", listing) if rule != _ISOLATION]
    return found[:1] == [f"-j {DOCKER_USER}"]


def _without_jumps(table: Table, listing: Sequence[str]) -> list[str]:
    """Delete every jump to our chains, including those that someone changed by hand."""
    names = {chain.name for chain in table.chains}
    return [f"-D{line[2:]}" for line in listing if line.startswith("-A ") and line.split(" -j ")[-1].split(" ")[0] in names]
