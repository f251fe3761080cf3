"""What the demo takes from the host and gives back: an address for the model, free ports and networks, firewall chains of its own engine."""

import contextlib
import ipaddress
import json
import os
import re
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from place import KEY, Failed, Memory

SYSCTLS = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv6/conf/default/forwarding")
FOLDERS = ("/run/docker", "/run/containerd", "/opt/containerd")
"""An engine makes them wherever its own folders are."""
TABLES = ("filter", "nat", "mangle", "raw")


def run(*command: str, text: str | None = None) -> str:
    """Raises Failed with what the program said."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Failed(f"{command[0]} cannot be started: {error.strerror}") from None
    if done.returncode != 0:
        raise Failed(f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


# ---- the model's address


def model_address(memory: Memory) -> str:
    """An extra address on the loopback interface: a tenant may not reach 127.0.0.1 of the host, and needs no other way out."""
    address = memory["address"] or f"198.51.100.{10 + int(KEY, 16) % 240}"
    memory["address"] = address
    if address not in _addresses():
        memory["address_added"] = True
        run("ip", "address", "add", f"{address}/32", "dev", "lo")
    return str(address)


def remove_address(memory: Memory) -> None:
    if memory["address_added"]:
        if memory["address"] in _addresses():
            run("ip", "address", "del", f"{memory['address']}/32", "dev", "lo")
        memory["address_added"] = False


def _addresses() -> list[str]:
    links: list[dict[str, Any]] = json.loads(run("ip", "-json", "-4", "address", "show") or "[]")
    return [found["local"] for link in links for found in link.get("addr_info", [])]


# ---- what is free


def free_port(wanted: int, address: str = "127.0.0.1") -> int:
    """That one, or the next one nobody listens on."""
    for port in range(wanted, min(wanted + 500, 65_536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return port
    raise Failed(f"no port from {wanted} on is free on {address}")


def free_subnets() -> str:
    """A /16 of 10.64.0.0/10 and above that no route of this host leads to."""
    routes: list[dict[str, Any]] = json.loads(run("ip", "-json", "-4", "route", "show", "table", "all") or "[]")
    taken = [ipaddress.IPv4Network(route["dst"], strict=False) for route in routes if route["dst"] != "default"]
    for turn in range(128):
        found = ipaddress.IPv4Network(f"10.{64 + (int(KEY, 16) + turn) % 128}.0.0/16")
        if not any(found.overlaps(network) for network in taken):
            return str(found)
    raise Failed("no network from 10.64.0.0/16 to 10.191.0.0/16 is free on this host")


def resolvers() -> list[str]:
    """Those of this host that a container can ask too; none means the platform's own."""
    found: list[str] = []
    for path in (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf")):
        if path.exists():
            named = re.findall(r"^nameserver\s+([0-9.]+)\s*$", path.read_text(), re.MULTILINE)
            found += [address for address in named if not ipaddress.IPv4Address(address).is_loopback and address not in found]
    return found[:3]


# ---- folders


def remove_folder(folder: Path) -> None:
    """Never through a mount: what is mounted there may be somebody's files."""
    unmount(folder)
    shutil.rmtree(folder, ignore_errors=True)


def unmount(folder: Path) -> None:
    """Whatever is mounted on it or below it. Raises Failed when something stays."""
    for point in reversed(_mounts(folder)):
        subprocess.run(["umount", "-l", point], check=False, capture_output=True)
    if left := _mounts(folder):
        raise Failed(f"{left[0]} cannot be unmounted; `umount {left[0]}` says why.")


def _mounts(folder: Path) -> list[str]:
    """In the order in which they were mounted."""
    points = (line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return [point for point in points if point == str(folder) or point.startswith(f"{folder}/")]


# ---- what an engine does to the host


def before_engine() -> dict[str, Any]:
    """What must be known to undo what our engine changes."""
    return {
        "missing": [folder for folder in FOLDERS if not Path(folder).exists()],
        "sysctls": {name: path.read_text().strip() for name in SYSCTLS if (path := Path("/proc/sys") / name).exists()},
        "had_chains": {tool: any(":DOCKER" in line for line in _saved(tool, "filter")) for tool in _tools()},
        "policies": {tool: _policy(tool) for tool in _tools()},
    }


def after_engine(before: dict[str, Any], subnets: str | None) -> None:
    """Chains that were there before our engine, and those another engine may use now, stay."""
    bridges = _bridges_in(subnets) if subnets else []
    for bridge in bridges:
        run("ip", "link", "delete", bridge)
    for folder in before["missing"]:
        _remove_empty(Path(folder))
    if engines():
        return
    for tool in _tools():
        if before["had_chains"].get(tool, True):
            continue
        for table in TABLES:
            _without_chains(tool, table, bridges, subnets)
        if before["policies"].get(tool):
            run(tool, "-P", "FORWARD", before["policies"][tool])
    for name, value in before["sysctls"].items():
        path = Path("/proc/sys") / name
        if path.exists() and path.read_text().strip() != value:
            path.write_text(value)


def _remove_empty(top: Path) -> None:
    """Files are somebody's, sockets of an engine that is gone nobody's."""
    for folder, _, files in os.walk(top, topdown=False):
        for name in files:
            if stat.S_ISSOCK((Path(folder) / name).lstat().st_mode):
                (Path(folder) / name).unlink()
        with contextlib.suppress(OSError):
            Path(folder).rmdir()


def _tools() -> Iterator[str]:
    for tool in ("iptables", "ip6tables"):
        if subprocess.run([tool, "-w", "-S", "FORWARD"], capture_output=True, check=False).returncode == 0:
            yield tool


def _saved(tool: str, table: str) -> list[str]:
    done = subprocess.run([f"{tool}-save", "-t", table], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def _policy(tool: str) -> str:
    return run(tool, "-w", "-S", "FORWARD").splitlines()[0].split()[-1]


def _without_chains(tool: str, table: str, bridges: Sequence[str], subnets: str | None) -> None:
    """Everything of the engine's in one commit."""
    listing = _saved(tool, table)
    chains = [line[1:].split()[0] for line in listing if line.startswith(":DOCKER")]
    if not chains:
        return
    rules = [line for line in listing if re.match(r"-A (?!DOCKER)", line)]
    gone = [f"-D{rule[2:]}" for rule in rules if re.search(r" -[jg] DOCKER", rule) or _is_about(rule, bridges, subnets)]
    lines = [f"*{table}", *(f":{chain} - [0:0]" for chain in chains), *gone, *(f"-X {chain}" for chain in chains), "COMMIT", ""]
    run(f"{tool}-restore", "--noflush", "-w", text="\n".join(lines))


def _is_about(rule: str, bridges: Sequence[str], subnets: str | None) -> bool:
    words = rule.split()
    sources = [ipaddress.ip_network(after) for word, after in pairwise(words) if word == "-s"]
    ours = subnets is not None and any(source.version == 4 and source.subnet_of(ipaddress.IPv4Network(subnets)) for source in sources)
    return ours or any(bridge in words for bridge in bridges)


def _bridges_in(subnets: str) -> list[str]:
    network = ipaddress.IPv4Network(subnets)
    links: list[dict[str, Any]] = json.loads(run("ip", "-json", "-4", "address", "show", "type", "bridge") or "[]")
    return [
        link["ifname"] for link in links if any(ipaddress.IPv4Address(found["local"]) in network for found in link.get("addr_info", []))
    ]


def engines() -> list[int]:
    """Their pids, in this network: each rewrites the whole firewall of its network when it starts."""
    network, found = Path("/proc/self/ns/net").readlink(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text().strip() == "dockerd" and (process / "ns" / "net").readlink() == network:
                found.append(int(process.name))
        except OSError:
            continue
    return found
