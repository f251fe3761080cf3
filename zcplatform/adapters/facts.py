"""Collect the facts for the doctor (core/doctor). Blocks for some seconds at worst: call it in a thread."""

import asyncio
import os
import platform
import pwd
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw

from zcplatform.adapters import anchors, certificates, firewall, host
from zcplatform.adapters.caddy import Caddy
from zcplatform.core import engine_rules, subnet_pool
from zcplatform.core.doctor import Facts
from zcplatform.engines.docker.answers import EngineInfo
from zcplatform.engines.docker.client import Docker
from zcplatform.engines.docker.facts import problems
from zcplatform.errors import PlatformError
from zcplatform.ids import Names
from zcplatform.settings import Settings


def facts(settings: Settings, caddy: Path | None) -> Facts:
    """Collect everything that the doctor checks, as far as this user may. `caddy` is the program that the edge would run."""
    is_root = os.geteuid() == 0
    engine, engine_error = _engine(settings.docker_socket)
    folders = [settings.data_dir, *([Path(engine.data_root)] if engine and engine.data_root else [])]
    return Facts(
        is_root=is_root,
        engine_error=engine_error,
        sqlite=apsw.sqlite_lib_version(),
        caddy=host.program_version(caddy, "version") if caddy else "",
        python=platform.python_version(),
        kernel=host.kernel(),
        cgroup=host.cgroup_version(),
        swap_is_active=host.swap_active(),
        allow_swap=settings.allow_swap,
        unmapped_uids="" if engine else host.unmapped_uid(settings.uid_span),
        free_bytes={str(folder): host.free_bytes(folder) for folder in folders},
        now=datetime.now(UTC),
        clock_is_synchronized=host.clock_is_synchronized(),
        web_user=settings.web_user,
        web_user_exists=_exists(settings.web_user),
        web_blocker=str(host.interpreter_blocker(settings.web_user) or "") if is_root else "",
        overlapping_uids=host.overlapping_uids(settings.uid_span) or "",
        core_pattern=Path("/proc/sys/kernel/core_pattern").read_text().strip(),
        anchor_trouble=_anchor_trouble(settings),
        **_engine_facts(settings, engine),
        **_network_facts(settings, sees_nat=is_root and engine is not None),
        **_edge_facts(settings, is_root=is_root),
    )


def _engine_facts(settings: Settings, engine: EngineInfo | None) -> dict[str, Any]:
    found = engine or EngineInfo("", "")
    return {
        "engine": found.version,
        "runc": found.runc_version or host.program_version("runc", "--version").removeprefix("runc version "),
        "live_restore": found.live_restore,
        "engine_problems": tuple(problems(engine, settings.uid_span, is_swapping=host.swap_active())) if engine else (),
    }


def _network_facts(settings: Settings, *, sees_nat: bool) -> dict[str, Any]:
    pool = settings.subnet_network
    foreign = subnet_pool.overlaps(pool, host.routes(), Names(settings.instance).bridge_prefix)
    inside = subnet_pool.inside(pool, foreign)
    nat = _nat_listing() if sees_nat else None
    return {
        "iptables": host.program_version("iptables", "--version"),
        "ip6tables": host.program_version("ip6tables", "--version"),
        "has_ipv6": Path("/proc/net/if_inet6").exists(),
        "forwards": host.forwards(),
        "engine_rules": None if nat is None else engine_rules.exist(nat),
        "has_userland_proxy": nat is not None and engine_rules.leave_local_connections_to_a_proxy(nat),
        "overlaps": tuple(str(each) for each in inside),
        "wider_overlaps": tuple(str(each) for each in foreign if each not in inside),
    }


def _edge_facts(settings: Settings, *, is_root: bool) -> dict[str, Any]:
    listened = host.listened_ports()
    public = (settings.http_port,) if settings.tls == "off" else (settings.http_port, settings.https_port)
    return {
        "taken_ports": tuple(port for port in public if port in listened),
        "edge_answers": _answers(settings.caddy_socket),
        "edge_trouble": _edge_trouble(settings),
        "is_installed": _is_there(settings.database),
        "tls": settings.tls,
        "certificate_trouble": certificates.trouble(settings) if is_root else "",
        "certificate_expires_at": certificates.expires_at(settings.tls_certificate) if settings.tls == "files" else None,
    }


def _nat_listing() -> list[str] | None:
    try:
        return asyncio.run(firewall.nat_listing())
    except PlatformError:
        return None


def _edge_trouble(settings: Settings) -> str:
    """Return facts about the edge. Nothing is known of one that does not run."""
    if not _answers(settings.caddy_socket):
        return ""
    try:
        asyncio.run(Caddy.of(settings).require_listener())
    except PlatformError as error:
        return error.detail
    return ""


def _anchor_trouble(settings: Settings) -> str:
    """Check the place of anchors. Before the first start there is nothing to anchor, and no folder for it."""
    if settings.audit_anchor == "syslog":
        return anchors.log_trouble(settings.syslog_socket)
    return anchors.file_trouble(settings.anchor_file) if _is_there(settings.data_dir) else ""


def _is_there(path: Path) -> bool:
    """Whether a file exists for this user. One in a directory that they may not enter does not."""
    try:
        return path.exists()
    except PermissionError:
        return False


def _engine(path: Path) -> tuple[EngineInfo | None, str]:
    if _is_there(path) and not os.access(path, os.R_OK | os.W_OK):
        return None, f"Permission denied: {path}"

    async def ask() -> EngineInfo:
        async with Docker(path, deadline_s=10) as docker:
            return await docker.ping()

    try:
        return asyncio.run(ask()), ""
    except PlatformError as error:
        return None, error.detail


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
