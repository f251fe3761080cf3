"""The doctor: findings about this host, computed from facts. Pure; adapters/facts.py collects the facts.

A minimum is the lowest version that has what we rely on or lacks a vulnerability we know of. Distributions patch old versions, so an old
version is a warning: check it.
"""

from zcplatform.core.doctor import edge, engine, machine, platform, programs
from zcplatform.core.doctor.facts import Facts
from zcplatform.core.doctor.finding import Finding, Level, version

__all__ = ["Facts", "Finding", "Level", "findings", "version"]


def findings(facts: Facts) -> list[Finding]:
    """Return all findings in the order in which a person would fix them."""
    return [
        *engine.engine(facts),
        *engine.runc(facts),
        *programs.libraries(facts),
        *machine.kernel(facts),
        *programs.firewall(facts),
        *engine.network(facts),
        *edge.ports(facts),
        *edge.certificate(facts),
        *machine.disk(facts),
        *machine.clock(facts),
        *machine.users(facts),
        *machine.anchors(facts),
        *platform.database(facts),
        *platform.loops(facts),
    ]
