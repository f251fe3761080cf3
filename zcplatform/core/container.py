"""The container of a tenant: everything the engine is told, built from allow-listed fields only.

Promise: whatever a row holds, the body differs from the golden one (tests/core/golden/container.json) in the fields of `ContainerSpec` and
nowhere else; a value out of bounds is a ValueError and nothing is built. Nothing secret is in it: environment, labels and arguments
are written to disk in clear by the engine.
"""

import hashlib
import ipaddress
import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from zcplatform.core.slugs import is_slug
from zcplatform.ids import LABEL_GENERATION, LABEL_INSTANCE, LABEL_SPEC, LABEL_THROWAWAY, Names, TenantId, is_id

LABEL_EPOCH = "io.zcplatform.epoch"
"""Counts asked restarts with replacement; part of what is hashed, so that a new epoch is a new container."""

GATEWAY_PORT = 42617
STOP_TIMEOUT_S = 20
CONFIG_TARGET = "/zeroclaw-data/.zeroclaw"
CONFIG_NAME = "zeroclaw"
"""The tenant's own directory inside its tmpfs."""
WORKSPACE_NAMES = ("data", "agents", "shared", "state")

ENVIRONMENT: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                f"ZEROCLAW_{name}"
                for name in (
                    "gateway__require_pairing",
                    "gateway__allow_remote_admin",
                    "gateway__trust_forwarded_headers",
                    "gateway__check_updates",
                    "gateway__allow_self_upgrade",
                    "wss__enabled",
                    "enroll__enabled",
                    "relay__enabled",
                    "nodes__enabled",
                    "a2a__server__enabled",
                    "plugins__enabled",
                    "secrets__encrypt",
                    "cost__enabled",
                    "risk_profiles__tenant__workspace_only",
                    "risk_profiles__tenant__block_high_risk_commands",
                )
            ),
            re.compile("true|false"),
        ),
        "ZEROCLAW_gateway__host": re.compile(r"0\.0\.0\.0"),
        "ZEROCLAW_gateway__port": re.compile(str(GATEWAY_PORT)),
        "ZEROCLAW_tunnel__tunnel_provider": re.compile("none"),
        "ZEROCLAW_cost__daily_limit_usd": re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?"),
        "ZEROCLAW_cost__monthly_limit_usd": re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?"),
        "ZEROCLAW_risk_profiles__tenant__level": re.compile("readonly|supervised|full"),
        "ZEROCLAW_risk_profiles__tenant__excluded_tools": re.compile(r'\[("[A-Za-z0-9_.:-]{1,80}"(,"[A-Za-z0-9_.:-]{1,80}"){0,399})?\]'),
        "ZEROCLAW_runtime_profiles__tenant__max_actions_per_hour": re.compile("[0-9]{1,9}"),
        "ZEROCLAW_agents__main__risk_profile": re.compile("tenant"),
        "ZEROCLAW_agents__main__runtime_profile": re.compile("tenant"),
        "AWS_REGION": re.compile("[a-z0-9-]{1,40}"),
    }
)
"""The variables an agent may be given, and what their values look like. The agent puts them above its file at every load."""

_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_MIB = 1024 * 1024


@dataclass(frozen=True)
class ContainerSpec:
    tenant_id: TenantId
    slug: str
    generation: int
    epoch: int
    image_id: str
    uid: int
    port: int
    memory_bytes: int
    cpu_millis: int
    pids: int
    config_dir: str
    """…/{slug}/zeroclaw, on the tenant's tmpfs."""
    workspace_dir: str
    """…/{slug}"""
    resolvers: tuple[str, ...]
    address: str | None = None
    """In the tenant's network; the engine picks one if None."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What pins the plan's ceilings: names of `ENVIRONMENT` only, never a secret."""


def create_body(names: Names, spec: ContainerSpec) -> dict[str, Any]:
    """What `POST /containers/create` gets; the name goes beside it (`names.container(slug)`)."""
    _check(spec)
    body: dict[str, Any] = {
        "Image": spec.image_id,
        "User": f"{spec.uid}:{spec.uid}",
        "Cmd": ["--verbose", "daemon"],
        "Env": ["HOME=/tmp", f"ZEROCLAW_CONFIG_DIR={CONFIG_TARGET}", "MALLOC_ARENA_MAX=1", *_environment(spec)],
        "ExposedPorts": {f"{GATEWAY_PORT}/tcp": {}},
        # The engine would run an image's own health check beside ours.
        "Healthcheck": {"Test": ["NONE"]},
        "StopTimeout": STOP_TIMEOUT_S,
        "HostConfig": {
            **_hardening(spec.uid),
            "Memory": spec.memory_bytes,
            "MemorySwap": spec.memory_bytes,
            "NanoCpus": spec.cpu_millis * 1_000_000,
            "PidsLimit": spec.pids,
            "NetworkMode": names.network(spec.slug),
            "PortBindings": {f"{GATEWAY_PORT}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(spec.port)}]},
            "Dns": list(spec.resolvers),
            "Mounts": [
                _bind(spec.config_dir, CONFIG_TARGET),
                *(_bind(f"{spec.workspace_dir}/{name}", f"{CONFIG_TARGET}/{name}") for name in WORKSPACE_NAMES),
            ],
        },
        "Labels": names.labels(spec.tenant_id) | {LABEL_EPOCH: str(spec.epoch), LABEL_GENERATION: str(spec.generation)},
    }
    if spec.address is not None:
        body["NetworkingConfig"] = {"EndpointsConfig": {names.network(spec.slug): {"IPAMConfig": {"IPv4Address": spec.address}}}}
    body["Labels"][LABEL_SPEC] = spec_hash(body)
    return body


def limits(host_config: Mapping[str, Any]) -> dict[str, Any]:
    """Of a body or of what the engine tells of a container, in the same form: what `docker update` can change of all that we set."""
    policy = (host_config.get("RestartPolicy") or {}).get("Name") or "no"
    return {name: host_config.get(name) or 0 for name in ("Memory", "MemorySwap", "NanoCpus", "PidsLimit")} | {"RestartPolicy": policy}


def update_body(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What `POST /containers/{id}/update` gets; `wanted` are all of `limits`, for the engine refuses some without the others."""
    return {**wanted, "RestartPolicy": {"Name": wanted["RestartPolicy"]}}


def _hardening(uid: int) -> dict[str, Any]:
    return {
        "Init": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": True,
        # Owned by the tenant, because its mode is that of the image's /tmp (runc before 1.2), which may let only root write.
        "Tmpfs": {"/tmp": f"rw,noexec,nosuid,nodev,size=64m,mode=0700,uid={uid},gid={uid}"},  # noqa: S108
        "Ulimits": [{"Name": "nofile", "Soft": 4096, "Hard": 4096}, {"Name": "core", "Soft": 0, "Hard": 0}],
        "LogConfig": {"Type": "local", "Config": {"max-size": "5m", "max-file": "2"}},
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
    }


def check_body(names: Names, spec: ContainerSpec, command: Sequence[str]) -> dict[str, Any]:
    """A container of the same hardening that runs one command on a configuration of its own: no network, no port, none of the tenant's files."""
    body = create_body(names, replace(spec, address=None))
    del body["ExposedPorts"]
    body["Cmd"] = list(command)
    body["Labels"] = names.labels(spec.tenant_id) | {LABEL_THROWAWAY: "1"}
    limits = body["HostConfig"]
    del limits["PortBindings"], limits["Dns"]
    limits |= {"NetworkMode": "none", "Mounts": [_bind(spec.config_dir, CONFIG_TARGET)]}
    return body


def probe_body(names: Names, image_id: str, command: Sequence[str]) -> dict[str, Any]:
    """A container of the same hardening for a program to say what it is: no network, no file, nobody's uid, nobody's labels but ours."""
    if _IMAGE_ID.fullmatch(image_id) is None:
        raise ValueError("image_id is not sha256:…")
    nobody = 65_534
    return {
        "Image": image_id,
        "User": f"{nobody}:{nobody}",
        "Cmd": list(command),
        "Env": ["HOME=/tmp", "ZEROCLAW_CONFIG_DIR=/tmp/config", "MALLOC_ARENA_MAX=1"],
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {**_hardening(nobody), "Memory": 128 * _MIB, "MemorySwap": 128 * _MIB, "PidsLimit": 64, "NetworkMode": "none"},
        "Labels": {LABEL_INSTANCE: names.instance, LABEL_THROWAWAY: "1"},
    }


def spec_hash(body: Mapping[str, Any]) -> str:
    """What tells whether a container is still the one that is wanted. A new generation alone does not make a new container."""
    labels = {key: value for key, value in body["Labels"].items() if key not in (LABEL_SPEC, LABEL_GENERATION)}
    canonical = json.dumps({**body, "Labels": labels}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _environment(spec: ContainerSpec) -> list[str]:
    return [f"{name}={spec.environment[name]}" for name in sorted(spec.environment)]


def _bind(source: str, target: str) -> dict[str, Any]:
    return {"Type": "bind", "Source": source, "Target": target, "BindOptions": {"Propagation": "rprivate"}}


def _check(spec: ContainerSpec) -> None:
    if not is_id(spec.tenant_id) or not spec.tenant_id.startswith("ten_"):
        raise ValueError("tenant_id is not the id of a tenant")
    if not is_slug(spec.slug):
        raise ValueError("slug is not a slug")
    if _IMAGE_ID.fullmatch(spec.image_id) is None:
        raise ValueError("image_id is not sha256:…")
    _check_number("generation", spec.generation, 0, 2**62)
    _check_number("epoch", spec.epoch, 0, 2**62)
    _check_number("uid", spec.uid, 1_000, 2**31 - 1)
    _check_number("port", spec.port, 1_024, 65_535)
    _check_number("memory_bytes", spec.memory_bytes, 16 * _MIB, 1024 * 1024 * _MIB)
    _check_number("cpu_millis", spec.cpu_millis, 10, 256_000)
    _check_number("pids", spec.pids, 8, 32_768)
    _check_path("config_dir", spec.config_dir, f"/{spec.slug}/{CONFIG_NAME}")
    _check_path("workspace_dir", spec.workspace_dir, f"/{spec.slug}")
    for name, value in spec.environment.items():
        if name not in ENVIRONMENT or ENVIRONMENT[name].fullmatch(value) is None:
            raise ValueError(f"{name[:80]} is not a variable that an agent is given, or has no such value")
    if not 1 <= len(spec.resolvers) <= 3:
        raise ValueError("resolvers must be one to three addresses")
    for resolver in spec.resolvers:
        ipaddress.IPv4Address(resolver)
    if spec.address is not None:
        ipaddress.IPv4Address(spec.address)


def _check_number(field: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{field} is not a whole number from {least} to {most}")


def _check_path(field: str, path: str, end: str) -> None:
    plain = path.isprintable() and path.startswith("/") and not path.startswith("//") and posixpath.normpath(path) == path
    if not plain or not path.endswith(end):
        raise ValueError(f"{field} is not an absolute path that ends in {end}")
