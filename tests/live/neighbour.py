"""Another machine on the wire of this host, in a network namespace."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.live.handmade import RESOLVERS
from tests.live.waiting import wait_until


class Neighbour:
    """Another machine on the wire of this host: a network namespace at the end of a cable, 10.98.0.2, with a default route to us."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.servers: list[subprocess.Popen[bytes]] = []

    def serves(self, *places: tuple[str, int]) -> None:
        for address, port in places:
            self.run("ip", "address", "replace", f"{address}/32", "dev", "lo")
            command = ["nsenter", "-t", str(self.pid), "-n", "busybox", "httpd", "-f", "-p", f"{address}:{port}", "-h", "/proc/sys/kernel"]
            self.servers.append(subprocess.Popen(command))
            wait_until(lambda a=address, p=port: self.reaches(a, p, "/ostype"), 10, f"the neighbour serves {address}:{port}")  # type: ignore[misc]

    def reaches(self, address: str, port: int, path: str = "/health") -> bool:
        command = ["nsenter", "-t", str(self.pid), "-n", "curl", "-sf", "--max-time", "1", f"http://{address}:{port}{path}"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def run(self, *command: str) -> None:
        run("nsenter", "-t", str(self.pid), "-n", *command)


@contextmanager
def neighbour_on_the_wire() -> Iterator[Neighbour]:
    holder = subprocess.Popen(["unshare", "--net", "sleep", "600"])
    neighbour = Neighbour(holder.pid)
    try:
        own = Path("/proc/self/ns/net").readlink()
        wait_until(lambda: Path(f"/proc/{holder.pid}/ns/net").readlink() != own, 10, "it has a network of its own")
        run("ip", "link", "add", "wire0", "type", "veth", "peer", "name", "wire1", "netns", str(holder.pid))
        run("ip", "address", "add", "10.98.0.1/24", "dev", "wire0")
        run("ip", "link", "set", "wire0", "up")
        neighbour.run("ip", "link", "set", "lo", "up")
        neighbour.run("ip", "address", "add", "10.98.0.2/24", "dev", "wire1")
        neighbour.run("ip", "link", "set", "wire1", "up")
        neighbour.run("ip", "route", "add", "default", "via", "10.98.0.1")
        for network in ("1.2.3.4/32", "172.20.0.0/24", "100.64.0.0/24", f"{RESOLVERS[0]}/32"):
            run("ip", "route", "add", network, "via", "10.98.0.2")
        yield neighbour
    finally:
        for server in neighbour.servers:
            server.kill()
            server.wait()
        holder.kill()
        holder.wait()
        wait_until(
            lambda: subprocess.run(["ip", "link", "show", "wire0"], capture_output=True, check=False).returncode != 0,
            10,
            "the wire is gone",
        )


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
