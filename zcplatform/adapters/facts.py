"""Collects what the doctor judges (core/doctor.py). Blocking, some seconds at worst: call it in a thread."""

import asyncio
import platform
import pwd
import socket
from datetime import UTC, datetime
from pathlib import Path

import apsw

from zcplatform.adapters import anchors, host
from zcplatform.core.doctor import Facts
from zcplatform.engines.docker.answers import EngineInfo
from zcplatform.engines.docker.client import Docker
from zcplatform.errors import PlatformError
from zcplatform.settings import Settings


def facts(settings: Settings, caddy: Path | None) -> Facts:
    """Everything the doctor looks at. `caddy` is the program the edge would run."""
    engine, engine_error = _engine(settings.docker_socket)
    runc = (engine.runc_version if engine else "") or host.program_version("runc", "--version").removeprefix("runc version ")
    folders = [settings.data_dir, *([Path(engine.data_root)] if engine and engine.data_root else [])]
    public = (settings.http_port, settings.https_port)
    return Facts(
        engine=engine.version if engine else "",
        engine_error=engine_error,
        runc=runc,
        live_restore=engine.live_restore if engine else False,
        sqlite=apsw.sqlite_lib_version(),
        caddy=host.program_version(caddy, "version") if caddy else "",
        python=platform.python_version(),
        kernel=host.kernel(),
        cgroup=host.cgroup_version(),
        swap_is_active=host.swap_active(),
        allow_swap=settings.allow_swap,
        iptables=host.program_version("iptables", "--version"),
        ip6tables=host.program_version("ip6tables", "--version"),
        has_ipv6=Path("/proc/net/if_inet6").exists(),
        taken_ports=tuple(port for port in public if not host.port_free(port)),
        edge_answers=_answers(settings.caddy_socket),
        free_bytes={str(folder): host.free_bytes(folder) for folder in folders},
        now=datetime.now(UTC),
        clock_is_synchronized=host.clock_is_synchronized(),
        web_user=settings.web_user,
        web_user_exists=_exists(settings.web_user),
        web_blocker=str(host.interpreter_blocker(settings.web_user) or ""),
        overlapping_uids=host.overlapping_uids(settings.uid_span) or "",
        core_pattern=Path("/proc/sys/kernel/core_pattern").read_text().strip(),
        anchor_trouble=_anchor_trouble(settings),
    )


def _anchor_trouble(settings: Settings) -> str:
    """Before the first start there is nothing to anchor, and no folder for it."""
    if settings.audit_anchor == "syslog":
        return anchors.log_trouble(settings.syslog_socket)
    return anchors.file_trouble(settings.anchor_file) if settings.data_dir.exists() else ""


def _engine(path: Path) -> tuple[EngineInfo | None, str]:
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
