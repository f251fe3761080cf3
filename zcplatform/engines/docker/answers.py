"""Parse the engine's JSON about its objects into values. Pure. A required field that is missing raises BadAnswer."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from zcplatform.engines.docker.bodies import limits
from zcplatform.engines.docker.errors import bounded
from zcplatform.engines.seen import ImageSeen, Reading

ALIVE = frozenset({"running", "paused", "restarting"})
"""A paused container has processes that hold the tenant's files: it has to be stopped like one that runs."""


class BadAnswer(Exception):
    """The engine answered 2xx with something that cannot be the requested object."""


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
    networks: tuple[str, ...] = ()
    address: str = ""
    """In its network, while it runs."""
    ports: Mapping[int, int] = field(default_factory=dict)
    """Its own TCP port → the port that is published for it on 127.0.0.1."""
    limits: Mapping[str, Any] | None = None
    """As `bodies.limits`; None when it was only listed."""


@dataclass(frozen=True)
class DockerNetwork:
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
    security: tuple[str, ...] = ()
    cpus: int = 0
    memory_bytes: int = 0
    counts_swap: bool = True
    """Whether the kernel can limit a container's swap."""
    limits_memory: bool = True
    limits_pids: bool = True
    limits_cpu: bool = True


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
        networks=_networks(answer),
        address=_address(answer),
        ports=dict(_listed_ports(answer)),
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
        networks=_networks(answer),
        address=_address(answer),
        ports=dict(_inspected_ports(answer)),
        limits=limits(_object(answer, "HostConfig")),
    )


def _networks(answer: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(sorted((answer.get("NetworkSettings") or {}).get("Networks") or {}))


def _address(answer: Mapping[str, Any]) -> str:
    networks = (answer.get("NetworkSettings") or {}).get("Networks") or {}
    return next((str(one.get("IPAddress") or "") for one in networks.values()), "")


def _listed_ports(answer: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    for one in answer.get("Ports") or ():
        if one.get("IP") == "127.0.0.1" and one.get("Type") == "tcp" and one.get("PublicPort"):
            yield int(one["PrivatePort"]), int(one["PublicPort"])


def _inspected_ports(answer: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    for inner, bindings in ((answer.get("NetworkSettings") or {}).get("Ports") or {}).items():
        number, _, protocol = str(inner).partition("/")
        for binding in bindings or ():
            if protocol == "tcp" and binding.get("HostIp") == "127.0.0.1":
                yield int(number), int(binding["HostPort"])


def network(answer: Mapping[str, Any]) -> DockerNetwork:
    return DockerNetwork(text(answer, "Id"), text(answer, "Name"), _labels(answer))


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
        cpus=int(info.get("NCPU") or 0),
        memory_bytes=int(info.get("MemTotal") or 0),
        limits_memory=info.get("MemoryLimit") is not False,
        limits_pids=info.get("PidsLimit") is not False,
        limits_cpu=info.get("CpuCfsQuota") is not False,
    )


def usage(answer: Mapping[str, Any]) -> Reading:
    """Memory without what the kernel can drop at any time."""
    memory = _object(answer, "memory_stats")
    stats = memory.get("stats") or {}
    idle = stats.get("inactive_file", stats.get("total_inactive_file", 0))
    return Reading(
        memory_bytes=max(0, int(memory.get("usage") or 0) - int(idle or 0)),
        cpu_ns=int((_object(answer, "cpu_stats").get("cpu_usage") or {}).get("total_usage") or 0),
        pids=int((answer.get("pids_stats") or {}).get("current") or 0),
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
