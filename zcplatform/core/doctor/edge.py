"""The edge: whether it answers on the public ports, and its certificate files."""

from collections.abc import Iterator
from datetime import timedelta

from zcplatform.core.doctor.facts import Facts
from zcplatform.core.doctor.finding import Finding, ok, problem, unknown, warning

RENEW_WITHIN = timedelta(days=14)


def ports(facts: Facts) -> Iterator[Finding]:
    taken = " and ".join(str(port) for port in facts.taken_ports)
    if facts.edge_answers and not facts.edge_trouble:
        yield ok("edge", "The edge answers on the public ports.")
    elif facts.edge_answers:
        yield problem("edge", f"The edge runs, but does not answer visitors: {facts.edge_trouble}.", "see the log of the edge; restart it")
    elif facts.taken_ports and not facts.is_root:
        yield unknown("edge", f"Only root can check whether it is the edge that listens on port {taken}.")
    elif facts.taken_ports:
        yield problem("ports", f"Another program listens on port {taken}.", "stop it, or set http_port and https_port")
    elif facts.is_installed:
        yield problem("edge", "The edge does not run: no tenant can be reached.", "systemctl start zcplatform-edge, or zcplatform edge")
    else:
        yield ok("ports", "The public ports are free.")


def certificate(facts: Facts) -> Iterator[Finding]:
    """No finding where the edge obtains its certificates itself."""
    expires = facts.certificate_expires_at
    if facts.tls == "files" and not facts.is_root:
        yield unknown("certificate", "Only root can check whether the edge's user can read the certificate files.")
    elif facts.certificate_trouble:
        yield problem("certificate", facts.certificate_trouble, "docs/reference/edge.md has a place and modes that work")
    elif expires is None:
        return
    elif expires <= facts.now:
        yield problem("certificate", f"The certificate expired on {expires:%Y-%m-%d}.", "replace tls_certificate and tls_key")
    elif expires - facts.now < RENEW_WITHIN:
        yield warning("certificate", f"The certificate expires on {expires:%Y-%m-%d}.", "replace tls_certificate and tls_key")
    else:
        yield ok("certificate", f"The certificate is valid until {expires:%Y-%m-%d}.")
