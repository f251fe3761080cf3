"""The edge: who listens on the public ports."""

from collections.abc import Iterator

from zcplatform.core.doctor.facts import Facts
from zcplatform.core.doctor.finding import Finding, ok, problem


def ports(facts: Facts) -> Iterator[Finding]:
    if not facts.taken_ports:
        yield ok("ports", "The public ports are free.")
    elif facts.edge_answers:
        yield ok("ports", "The edge listens on the public ports.")
    else:
        ports = " and ".join(str(port) for port in facts.taken_ports)
        yield problem("ports", f"Another program listens on port {ports}.", "stop it, or set http_port and https_port")
