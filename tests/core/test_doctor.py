"""What the doctor says about one sound host, and about that host with one thing wrong at a time."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from zcplatform.core.doctor import Facts, Level, findings, version

SOUND = Facts(
    engine="28.5.1",
    engine_error="",
    runc="1.3.3",
    live_restore=True,
    sqlite="3.54.1",
    caddy="v2.11.7 h1:abc=",
    python="3.11.20",
    kernel="6.12.9-generic",
    cgroup=2,
    swap_is_active=True,
    allow_swap=False,
    iptables="iptables v1.8.9 (nf_tables)",
    ip6tables="ip6tables v1.8.9 (nf_tables)",
    has_ipv6=True,
    taken_ports=(),
    is_root=True,
    edge_answers=False,
    edge_trouble="",
    is_installed=False,
    forwards=True,
    engine_rules=True,
    has_userland_proxy=False,
    engine_problems=(),
    overlaps=(),
    wider_overlaps=(),
    unmapped_uids="",
    tls="off",
    certificate_trouble="",
    certificate_expires_at=None,
    free_bytes={"/var/lib/zcplatform/data": 50 * 1024**3},
    now=datetime(2026, 12, 1, tzinfo=UTC),
    clock_is_synchronized=True,
    web_user="zcplatform-web",
    web_user_exists=True,
    web_blocker="",
    overlapping_uids="",
    core_pattern="core",
    anchor_trouble="",
    database_trouble="",
    loop_troubles=(),
)


def test_a_sound_host_has_nothing_to_fix() -> None:
    assert {finding.level for finding in findings(SOUND)} == {Level.OK}


@pytest.mark.parametrize(
    ("changed", "subject", "level", "words"),
    [
        ({"engine": "", "engine_error": "It does not answer."}, "engine", Level.PROBLEM, "does not answer"),
        ({"engine": "19.03.5"}, "engine", Level.PROBLEM, "too old"),
        ({"live_restore": False}, "live_restore", Level.WARNING, "stops all tenants"),
        ({"runc": ""}, "runc", Level.WARNING, "unknown"),
        ({"runc": "1.1.5+ds1"}, "runc", Level.WARNING, "CVE-2025-31133"),
        ({"runc": "1.3.2"}, "runc", Level.WARNING, "1.3.2"),
        ({"sqlite": "3.51.2"}, "sqlite", Level.PROBLEM, "corrupt"),
        ({"caddy": ""}, "caddy", Level.PROBLEM, "Caddy cannot"),
        ({"caddy": "2.6.2"}, "caddy", Level.PROBLEM, "every open chat"),
        ({"kernel": "6.1.0-28"}, "noswap", Level.PROBLEM, "no tenant is started"),
        ({"kernel": "6.1.0-28", "allow_swap": True}, "noswap", Level.WARNING, "allow_swap"),
        ({"kernel": "6.1.0-28", "swap_is_active": False}, "noswap", Level.WARNING, "no swap is active"),
        ({"core_pattern": "|/usr/share/apport/apport %p"}, "core_pattern", Level.WARNING, "/usr/share/apport/apport"),
        ({"database_trouble": "unknown trigger `t`"}, "database", Level.PROBLEM, "unknown trigger `t`."),
        ({"loop_troubles": ("`mail` is late",)}, "loops", Level.PROBLEM, "`mail` is late"),
        ({"anchor_trouble": "Nobody keeps a system log at /dev/log."}, "audit_anchor", Level.PROBLEM, "Nobody keeps"),
        ({"iptables": ""}, "iptables", Level.PROBLEM, "iptables cannot"),
        ({"ip6tables": ""}, "iptables", Level.PROBLEM, "ip6tables cannot"),
        ({"taken_ports": (80, 443)}, "ports", Level.PROBLEM, "80 and 443"),
        ({"is_installed": True}, "edge", Level.PROBLEM, "no tenant can be reached"),
        ({"edge_answers": True, "edge_trouble": "Caddy did not respond"}, "edge", Level.PROBLEM, "does not answer visitors"),
        ({"forwards": False}, "forwarding", Level.PROBLEM, "ip_forward"),
        ({"engine_rules": False}, "engine_rules", Level.PROBLEM, "own firewall rules are gone"),
        ({"has_userland_proxy": True}, "userland_proxy", Level.WARNING, "past the edge"),
        (
            {"engine_problems": ("it is rootless; run it as root",)},
            "engine_fit",
            Level.PROBLEM,
            "The engine cannot run agents: it is rootless.",
        ),
        ({"overlaps": ("10.83.5.0/24 on eth0",)}, "subnets", Level.PROBLEM, "10.83.5.0/24 on eth0"),
        ({"wider_overlaps": ("10.0.0.0/8 on tun0",)}, "subnets", Level.WARNING, "10.0.0.0/8 on tun0"),
        ({"unmapped_uids": "uids end at 65535"}, "uids", Level.PROBLEM, "65535"),
        ({"certificate_trouble": "It does not exist."}, "certificate", Level.PROBLEM, "does not exist"),
        ({"certificate_expires_at": datetime(2026, 11, 30, tzinfo=UTC)}, "certificate", Level.PROBLEM, "expired on 2026-11-30"),
        ({"certificate_expires_at": datetime(2026, 12, 9, tzinfo=UTC)}, "certificate", Level.WARNING, "expires on 2026-12-09"),
        ({"free_bytes": {"/data": 100}}, "disk", Level.PROBLEM, "/data"),
        ({"free_bytes": {"/data": 3 * 1024**3}}, "disk", Level.WARNING, "3.0 GB"),
        ({"now": datetime(2020, 1, 1, tzinfo=UTC)}, "clock", Level.PROBLEM, "2020-01-01"),
        ({"clock_is_synchronized": False}, "clock", Level.WARNING, "not synchronized"),
        ({"web_blocker": "/root"}, "web_user", Level.PROBLEM, "/root"),
        ({"web_user_exists": False}, "web_user", Level.WARNING, "not exist"),
        ({"overlapping_uids": "the range of ann (700000-765535 in /etc/subuid)"}, "uids", Level.PROBLEM, "ann"),
    ],
)
def test_one_thing_wrong_is_one_finding_with_advice(changed: dict[str, Any], subject: str, level: Level, words: str) -> None:
    (found,) = [finding for finding in findings(replace(SOUND, **changed)) if finding.level is not Level.OK]
    assert (found.subject, found.level) == (subject, level)
    assert words in found.sentence
    assert found.advice


@pytest.mark.parametrize(
    "changed",
    [
        {"ip6tables": "", "has_ipv6": False},
        {"taken_ports": (80, 443), "edge_answers": True},
        {"clock_is_synchronized": None},
        {"edge_answers": True, "is_installed": True, "taken_ports": (80,)},
        {"engine_rules": None},
        {"certificate_expires_at": datetime(2027, 3, 1, tzinfo=UTC)},
        {"runc": "1.2.8"},
        {"runc": "1.4.0"},
        {"kernel": "6.4.0"},
    ],
)
def test_what_is_no_trouble_is_not_called_one(changed: dict[str, Any]) -> None:
    assert {finding.level for finding in findings(replace(SOUND, **changed))} == {Level.OK}


@pytest.mark.parametrize(
    ("changed", "subject"),
    [
        ({}, "web_user"),
        ({"engine": "", "engine_error": "Permission denied: /var/run/docker.sock"}, "engine"),
        ({"taken_ports": (80,)}, "edge"),
        ({"anchor_trouble": "It cannot be written."}, "audit_anchor"),
        ({"tls": "files"}, "certificate"),
    ],
)
def test_what_only_root_can_see_is_no_fault_to_others(changed: dict[str, Any], subject: str) -> None:
    """D4: an ordinary user reads that root is needed, not that something is wrong."""
    found = list(findings(replace(SOUND, is_root=False, web_blocker="/root/bin/python", **changed)))
    assert {finding.level for finding in found} == {Level.OK, Level.UNKNOWN}
    assert subject in {finding.subject for finding in found if finding.level is Level.UNKNOWN}
    assert all("root" in finding.sentence and finding.advice for finding in found if finding.level is Level.UNKNOWN)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("v2.11.7 h1:x", (2, 11, 7)),
        ("1.1.5+ds1", (1, 1, 5)),
        ("20.10.24+dfsg1", (20, 10, 24)),
        ("6.18.44-fc-v595", (6, 18, 44)),
        ("", ()),
        ("x", ()),
    ],
)
def test_versions_are_read_as_distributions_write_them(text: str, numbers: tuple[int, ...]) -> None:
    assert version(text) == numbers
