"""Programs and libraries: SQLite, Caddy, Python, iptables."""

from collections.abc import Iterator

from zcplatform.core.doctor.facts import Facts
from zcplatform.core.doctor.finding import Finding, ok, problem, version

MIN_CADDY = (2, 7)
MIN_SQLITE = (3, 51, 3)


def libraries(facts: Facts) -> Iterator[Finding]:
    if version(facts.sqlite) < MIN_SQLITE:
        yield problem(
            "sqlite", f"SQLite {facts.sqlite} can corrupt a database (3.7.0 to 3.51.2).", "install the locked packages: scripts/venv"
        )
    else:
        yield ok("sqlite", f"SQLite {facts.sqlite} is current.")
    if not facts.caddy:
        yield problem("caddy", "Caddy cannot be run.", "install the locked packages, or set caddy_binary")
    elif version(facts.caddy) < MIN_CADDY:
        yield problem(
            "caddy",
            f"Caddy {facts.caddy} closes every open chat whenever a tenant changes.",
            "use 2.7 or later, or leave caddy_binary unset",
        )
    else:
        yield ok("caddy", f"Caddy {facts.caddy} can be run.")
    yield ok("python", f"Python {facts.python}.")


def firewall(facts: Facts) -> Iterator[Finding]:
    missing = [name for name, found in (("iptables", facts.iptables), ("ip6tables", facts.ip6tables or not facts.has_ipv6)) if not found]
    if missing:
        yield problem("iptables", f"{' and '.join(missing)} cannot be run. No tenant is started without the firewall.", "install iptables")
    else:
        yield ok("iptables", f"{facts.iptables} can be run.")
