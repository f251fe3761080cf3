"""The Docker engine and runc."""

from collections.abc import Iterator

from zcplatform.core.doctor.facts import Facts
from zcplatform.core.doctor.finding import Finding, ok, problem, unknown, version, warning

MIN_ENGINE = (20, 10)


def engine(facts: Facts) -> Iterator[Finding]:
    if not facts.engine and not facts.is_root and facts.engine_error.startswith("Permission denied"):
        yield unknown("engine", "Only root can query the engine.")
        return
    if not facts.engine:
        yield problem("engine", facts.engine_error or "The Docker engine does not respond.", "install and start docker.io or Docker Engine")
        return
    if version(facts.engine) < MIN_ENGINE:
        yield problem("engine", f"Docker {facts.engine} is too old.", "install Docker 20.10 or later; a current version is better")
    else:
        yield ok("engine", f"Docker {facts.engine} responds.")
    yield from _unfit(facts)
    if not facts.live_restore:
        yield warning(
            "live_restore",
            "Restarting the engine stops all tenants; the platform then starts them again.",
            'add {"live-restore": true} to /etc/docker/daemon.json and reload the engine',
        )


def _unfit(facts: Facts) -> Iterator[Finding]:
    """Engine modes that lack what the platform needs."""
    for trouble in facts.engine_problems:
        what, _, advice = trouble.partition("; ")
        yield problem("engine_fit", f"The engine cannot run agents: {what}.", advice or "see docs/how-to/install.md")
    if facts.has_userland_proxy:
        yield warning(
            "userland_proxy",
            "The engine runs a userland proxy: every local user can reach agents past the edge, and their ports are silent without the engine.",
            'add {"userland-proxy": false} to /etc/docker/daemon.json and restart the engine',
        )


def network(facts: Facts) -> Iterator[Finding]:
    """Host settings that agents need to reach the internet."""
    if facts.engine_rules is False:
        yield problem(
            "engine_rules",
            "The engine's own firewall rules are gone: ports do not lead to agents, and agents have no way out.",
            "restart the engine; with live-restore agents survive it",
        )
    if facts.engine and not facts.forwards:
        yield problem(
            "forwarding",
            "This host does not forward packets (net.ipv4.ip_forward is 0): agents cannot reach the internet.",
            "sysctl -w net.ipv4.ip_forward=1, and find out what switched it off",
        )
    for overlap in facts.overlaps:
        yield problem(
            "subnets",
            f"The pool `subnets` overlaps {overlap}: a tenant's network there would cut it off.",
            "set `subnets` to a range that is free here",
        )
    for overlap in facts.wider_overlaps:
        yield warning(
            "subnets",
            f"The pool `subnets` is part of {overlap}: hosts with addresses of the pool cannot be reached from here.",
            "set `subnets` to a range that nobody uses",
        )
    if not (facts.overlaps or facts.wider_overlaps):
        yield ok("subnets", "The pool of the tenants' networks is free.")


def runc(facts: Facts) -> Iterator[Finding]:
    """CVE-2025-31133, -52565, -52881: a container can escape through writes below /proc."""
    if not facts.runc:
        if facts.engine:
            yield warning("runc", "The version of runc is unknown.", "make sure that it is 1.2.8, 1.3.3 or later")
        return
    found = version(facts.runc)
    if found >= (1, 3, 3) or (1, 2, 8) <= found < (1, 3):
        yield ok("runc", f"runc {facts.runc} is current.")
    else:
        yield warning(
            "runc",
            f"runc {facts.runc} lets a container escape (CVE-2025-31133, -52565, -52881), unless the distribution has patched it.",
            "update runc and the engine; 1.2.8 and 1.3.3 are fixed",
        )
