"""The platform itself: its database and the periodic work of a running worker."""

from collections.abc import Iterator

from zcplatform.core.doctor.facts import Facts
from zcplatform.core.doctor.finding import Finding, ok, problem


def database(facts: Facts) -> Iterator[Finding]:
    """Nothing before the first start, and for a user who cannot read it."""
    if facts.database_trouble:
        yield problem("database", f"{facts.database_trouble}.", "stop the platform and restore a backup")
    elif facts.database_trouble is not None:
        yield ok("database", "The database has the schema of this version.")


def loops(facts: Facts) -> Iterator[Finding]:
    """Nothing while no worker answers."""
    if facts.loop_troubles is None:
        return
    for trouble in facts.loop_troubles:
        yield problem("loops", f"The worker's loop {trouble}.", "zcplatform loops shows all of them; the worker's log has the details")
    if not facts.loop_troubles:
        yield ok("loops", "The worker's loops run on time.")
