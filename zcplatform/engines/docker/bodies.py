"""Request bodies for the Docker engine, built from a workload field by field.

Promise: whatever a row holds, the body of a container differs from the golden one (tests/engines/docker/golden) in the fields of `Workload` and
`HostSide` and nowhere else; a value out of bounds is a ValueError and nothing is built. Nothing secret is in it: the engine writes environment,
labels and arguments to disk in the clear. No field is left out for which the engine would take its own or the machine's default.
"""

import functools
import hashlib
import ipaddress
import json
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zcplatform.core import workload as workloads
from zcplatform.core.network import subnet
from zcplatform.core.workload import STOP_TIMEOUT_S, Task, TenantRef, Workload
from zcplatform.ids import LABEL_GENERATION, LABEL_INSTANCE, LABEL_SPEC, LABEL_THROWAWAY, Names

LABEL_EPOCH = "io.zcplatform.epoch"
LABEL_PATHS = "io.zcplatform.paths"
"""Hash of the workload's directories on this machine and its address: if directories move, the container must be replaced."""
CONFIG_NAME = "zeroclaw"
"""The tenant's directory inside its configuration mount."""

# A single dot is an empty list of search domains; without it the engine copies the machine's. Options likewise.
_NAMES_AS_THEY_ARE = {"DnsSearch": ["."], "DnsOptions": ["ndots:0"]}
_NETWORK_NONE = {"NetworkMode": "none"}


@dataclass(frozen=True)
class HostSide:
    """The values that a machine adds to a workload."""

    config_dir: str
    """…/{slug}/zeroclaw, on the tenant's tmpfs."""
    workspace_dir: str
    """…/{slug}"""
    address: str
    """In the tenant's network."""

    @property
    def hash(self) -> str:
        return hashlib.sha256("\n".join((self.config_dir, self.workspace_dir, self.address)).encode()).hexdigest()


def create_body(names: Names, workload: Workload, side: HostSide) -> dict[str, Any]:
    """Return the body of `POST /containers/create`. The name is a query parameter (`names.container(slug)`)."""
    body = _first_body(names, workload, side)
    body["HostConfig"] |= _NAMES_AS_THEY_ARE
    body["Labels"] |= {LABEL_SPEC: workload.spec_hash, LABEL_PATHS: side.hash}
    return body


def is_current(names: Names, workload: Workload, side: HostSide, labels: Mapping[str, str]) -> bool:
    """Whether a container with these labels has the present specification. Containers of earlier releases are recognised too."""
    if labels.get(LABEL_SPEC) == workload.spec_hash:
        return labels.get(LABEL_PATHS) == side.hash
    return LABEL_PATHS not in labels and labels.get(LABEL_SPEC) == first_hash(names, workload, side)


def first_hash(names: Names, workload: Workload, side: HostSide) -> str:
    """Return the specification's hash as releases before 0.1.0 computed it: over the whole body."""
    key = f"first {names.instance} {side.hash}"
    if key not in workload.memo:
        workload.memo[key] = body_hash(_first_body(names, workload, side))
    return workload.memo[key]


def body_hash(body: Mapping[str, Any]) -> str:
    """Of a body without its own hash and its generation."""
    labels = {key: value for key, value in body["Labels"].items() if key not in (LABEL_SPEC, LABEL_GENERATION)}
    canonical = json.dumps({**body, "Labels": labels}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _first_body(names: Names, workload: Workload, side: HostSide) -> dict[str, Any]:
    workloads.check(workload)
    slug, program = workload.tenant.slug, workload.program
    _check_path("config_dir", side.config_dir, f"/{slug}/{CONFIG_NAME}")
    _check_path("workspace_dir", side.workspace_dir, f"/{slug}")
    ipaddress.IPv4Address(side.address)
    port, network = f"{program.port}/tcp", names.network(slug)
    return {
        "Image": workload.image_id,
        "User": f"{workload.uid}:{workload.uid}",
        "Cmd": list(program.command),
        "Env": [*_variables(program.constants), *_variables(sorted(workload.environment.items()))],
        "ExposedPorts": {port: {}},
        # The engine would run an image's own health check beside ours.
        "Healthcheck": {"Test": ["NONE"]},
        "StopTimeout": STOP_TIMEOUT_S,
        "HostConfig": {
            **_hardening(workload.uid),
            "Memory": workload.memory_bytes,
            "MemorySwap": workload.memory_bytes,
            "NanoCpus": workload.cpu_millis * 1_000_000,
            "PidsLimit": workload.pids,
            "NetworkMode": network,
            "PortBindings": {port: [{"HostIp": "127.0.0.1", "HostPort": str(workload.port)}]},
            "Dns": list(workload.resolvers),
            "Mounts": [
                _bind(side.config_dir, program.config_target),
                *(_bind(f"{side.workspace_dir}/{name}", f"{program.config_target}/{name}") for name in program.workspace_names),
            ],
        },
        "Labels": {
            **names.labels(workload.tenant.id),
            LABEL_EPOCH: str(workload.epoch),
            LABEL_GENERATION: str(workload.generation),
        },
        "NetworkingConfig": {"EndpointsConfig": {network: {"IPAMConfig": {"IPv4Address": side.address}}}},
    }


def task_body(names: Names, task: Task, config_dir: str | None) -> dict[str, Any]:
    """Return the body of a throw-away container: the same hardening, one command, no network, no port, and no files but its own `config_dir`."""
    workloads.check_image_id(task.image_id)
    labels = {LABEL_INSTANCE: names.instance, LABEL_THROWAWAY: "1"}
    mounts = []
    if task.tenant is not None:
        workloads.check_tenant(task.tenant)
        labels = names.labels(task.tenant.id) | labels
    if config_dir is not None and task.config_target is not None and task.tenant is not None:
        _check_path("config_dir", config_dir, f"/{task.tenant.slug}/{CONFIG_NAME}")
        mounts = [_bind(config_dir, task.config_target)]
    return {
        "Image": task.image_id,
        "User": f"{task.uid}:{task.uid}",
        "Cmd": list(task.command),
        "Env": _variables(task.environment),
        "Healthcheck": {"Test": ["NONE"]},
        "StopTimeout": STOP_TIMEOUT_S,
        "HostConfig": {
            **_hardening(task.uid),
            "Memory": task.memory_bytes,
            "MemorySwap": task.memory_bytes,
            **({"NanoCpus": task.cpu_millis * 1_000_000} if task.cpu_millis is not None else {}),
            "PidsLimit": task.pids,
            **_NETWORK_NONE,
            "Mounts": mounts,
        },
        "Labels": labels,
    }


def limits(host_config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the limits that `docker update` can change, in the same form for a body and for what the engine reports."""
    policy = (host_config.get("RestartPolicy") or {}).get("Name") or "no"
    return {name: host_config.get(name) or 0 for name in ("Memory", "MemorySwap", "NanoCpus", "PidsLimit")} | {"RestartPolicy": policy}


def wanted_limits(workload: Workload) -> dict[str, Any]:
    return {
        "Memory": workload.memory_bytes,
        "MemorySwap": workload.memory_bytes,
        "NanoCpus": workload.cpu_millis * 1_000_000,
        "PidsLimit": workload.pids,
        "RestartPolicy": "no",
    }


def update_body(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body of `POST /containers/{id}/update`. It contains all limits, because the engine rejects some without the others."""
    return {**wanted, "RestartPolicy": {"Name": wanted["RestartPolicy"]}}


def network_body(names: Names, tenant: TenantRef, index: int, pool: ipaddress.IPv4Network) -> dict[str, Any]:
    """Return the body of `POST /networks/create`: one bridge per tenant, with a name that the firewall's rules match and a /29 of the pool.

    The engine's own pools end at about thirty networks, and `enable_icc=false` alone keeps a container from its neighbours only: what keeps it
    from the machine and from private networks is the firewall (core/firewall.py).
    """
    workloads.check_tenant(tenant)
    own = subnet(index, pool)
    body: dict[str, Any] = {
        "Name": names.network(tenant.slug),
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": False,
        "Attachable": False,
        "Ingress": False,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": str(own), "Gateway": str(own.network_address + 1)}]},
        "Options": {
            "com.docker.network.bridge.name": names.bridge(index),
            "com.docker.network.bridge.enable_icc": "false",
            "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
        },
        "Labels": dict(names.labels(tenant.id)),
    }
    body["Labels"][LABEL_SPEC] = body_hash(body)
    return body


@functools.lru_cache(maxsize=4096)
def network_spec(names: Names, tenant: TenantRef, index: int, pool: ipaddress.IPv4Network) -> str:
    """Return the hash of the network's present specification."""
    return str(network_body(names, tenant, index, pool)["Labels"][LABEL_SPEC])


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


def _variables(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{name}={value}" for name, value in pairs]


def _bind(source: str, target: str) -> dict[str, Any]:
    return {"Type": "bind", "Source": source, "Target": target, "BindOptions": {"Propagation": "rprivate"}}


def _check_path(field: str, path: str, end: str) -> None:
    plain = path.isprintable() and path.startswith("/") and not path.startswith("//") and posixpath.normpath(path) == path
    if not plain or not path.endswith(end):
        raise ValueError(f"{field} is not an absolute path that ends in {end}")
