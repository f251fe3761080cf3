"""What the engine tells about its objects, read from its JSON into values. Pure. A field that is missing where it must not be is a BadAnswer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from zcplatform.core.container import limits
from zcplatform.engines.docker.errors import bounded
from zcplatform.engines.seen import ImageSeen


class BadAnswer(Exception):
    """The engine answered 2xx with something that cannot be what was asked for."""


@dataclass(frozen=True)
class ContainerSeen:
    id: str
    name: str
    labels: Mapping[str, str]
    state: str
    """created, running, paused, restarting, removing, exited or dead"""
    image_id: str
    exit_code: int | None = None
    oom_killed: bool = False
    error: str = ""
    started_at: str = ""
    """Empty when it was only listed, not inspected."""
    address: str = ""
    """In its network, while it runs; empty when it was only listed."""
    limits: Mapping[str, Any] | None = None
    """As `core.container.limits`; None when it was only listed."""


@dataclass(frozen=True)
class NetworkSeen:
    id: str
    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class EngineInfo:
    version: str
    api_version: str
    runc_version: str = ""
    live_restore: bool = False
    storage_driver: str = ""
    data_root: str = ""
    security: tuple[str, ...] = field(default=())
    counts_swap: bool = True
    """Whether the kernel can limit a container's swap."""


def listed_container(answer: Mapping[str, Any]) -> ContainerSeen:
    status = str(answer.get("Status") or "")
    exited = re.match(r"Exited \((-?\d+)\)", status)
    return ContainerSeen(
        id=text(answer, "Id"),
        name=str((answer.get("Names") or [""])[0]).removeprefix("/"),
        labels=_labels(answer),
        state=text(answer, "State"),
        image_id=str(answer.get("ImageID") or ""),
        exit_code=int(exited[1]) if exited else None,
    )


def inspected_container(answer: Mapping[str, Any]) -> ContainerSeen:
    state = _object(answer, "State")
    has_ended = state.get("Status") in ("exited", "dead")
    return ContainerSeen(
        id=text(answer, "Id"),
        name=text(answer, "Name").removeprefix("/"),
        labels=_labels(_object(answer, "Config")),
        state=text(state, "Status"),
        image_id=str(answer.get("Image") or ""),
        exit_code=int(state.get("ExitCode") or 0) if has_ended else None,
        oom_killed=bool(state.get("OOMKilled")),
        error=bounded(state.get("Error") or ""),
        started_at=str(state.get("StartedAt") or ""),
        address=_address(answer),
        limits=limits(_object(answer, "HostConfig")),
    )


def _address(answer: Mapping[str, Any]) -> str:
    networks = (answer.get("NetworkSettings") or {}).get("Networks") or {}
    return next((str(one.get("IPAddress") or "") for one in networks.values()), "")


def network(answer: Mapping[str, Any]) -> NetworkSeen:
    return NetworkSeen(text(answer, "Id"), text(answer, "Name"), _labels(answer))


def image(answer: Mapping[str, Any]) -> ImageSeen:
    return ImageSeen(
        id=text(answer, "Id"),
        digests=tuple(str(digest) for digest in answer.get("RepoDigests") or ()),
        labels=_labels(answer.get("Config") or {}),
        size_bytes=int(answer.get("Size") or 0),
    )


def engine(version: Mapping[str, Any], info: Mapping[str, Any]) -> EngineInfo:
    parts = {str(part.get("Name")): str(part.get("Version")) for part in version.get("Components") or ()}
    return EngineInfo(
        version=text(version, "Version"),
        api_version=text(version, "ApiVersion"),
        runc_version=parts.get("runc", ""),
        live_restore=bool(info.get("LiveRestoreEnabled")),
        storage_driver=str(info.get("Driver") or ""),
        data_root=str(info.get("DockerRootDir") or ""),
        counts_swap=info.get("SwapLimit") is not False,
        security=tuple(str(option) for option in info.get("SecurityOptions") or ()),
    )


def text(answer: Mapping[str, Any], key: str) -> str:
    value = answer.get(key)
    if not isinstance(value, str) or not value:
        raise BadAnswer(f"no {key}")
    return value


def _object(answer: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = answer.get(key)
    if not isinstance(value, dict):
        raise BadAnswer(f"no {key}")
    return value


def _labels(answer: Mapping[str, Any]) -> Mapping[str, str]:
    return {str(key): str(value) for key, value in (answer.get("Labels") or {}).items()}
