"""The Docker engine and runc."""

from collections.abc import Iterator

from zcplatform.core.doctor.facts import Facts
from zcplatform.core.doctor.finding import Finding, ok, problem, version, warning

MIN_ENGINE = (20, 10)


def engine(facts: Facts) -> Iterator[Finding]:
    if not facts.engine:
        yield problem("engine", facts.engine_error or "The Docker engine does not respond.", "install and start docker.io or Docker Engine")
        return
    if version(facts.engine) < MIN_ENGINE:
        yield problem("engine", f"Docker {facts.engine} is too old.", "install Docker 20.10 or later; a current version is better")
    else:
        yield ok("engine", f"Docker {facts.engine} responds.")
    if not facts.live_restore:
        yield warning(
            "live_restore",
            "Restarting the engine stops all tenants; the platform then starts them again.",
            'add {"live-restore": true} to /etc/docker/daemon.json and reload the engine',
        )


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
