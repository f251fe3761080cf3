"""scripts/demo as a person runs it, from a copy of the checkout: twice, ended, begun again, ended for good. Its engine is its own.

It lives in a network of its own: the tests' network has an engine already, and the demo refuses to start a second one beside it.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.engine import Engine
from tests.live.registry import Registry
from zcplatform.adapters import agent_image
from zcplatform.engines.docker.client import Docker

pytestmark = pytest.mark.live
ROOT = Path(__file__).parents[2]


class Demo:
    """One checkout and one network; nothing of the demo is imported."""

    def __init__(self, checkout: Path, network: int) -> None:
        self.checkout = checkout
        self.key = hashlib.sha256(os.fsencode(checkout)).hexdigest()[:8]
        self.state = Path(f"/var/lib/zcplatform/demo-{self.key}")
        self.servers: list[subprocess.Popen[bytes]] = []
        self._network = network

    def run(self, *arguments: str, **environment: str) -> str:
        done = self.enter([str(self.checkout / "scripts" / "demo"), *arguments], **environment)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def enter(self, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
        """In the demo's network. The virtual environment of the tests is used: there is no way to a package registry from here."""
        return subprocess.run(
            ["nsenter", f"--net=/proc/{self._network}/ns/net", *command],
            env={"PATH": os.environ["PATH"], "VENV": sys.prefix, **environment},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def serve(self, command: list[str]) -> None:
        """A server in the demo's network, until the demo ends."""
        self.servers.append(subprocess.Popen(["nsenter", f"--net=/proc/{self._network}/ns/net", *command]))

    def facts(self) -> dict[str, Any]:
        path = self.checkout / ".demo" / "facts.json"
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        return dict(json.loads(path.read_text()))

    def host(self) -> dict[str, str]:
        """Everything outside the state directory that a demo changes, in words that are equal when it is the same."""
        rules = "".join(self.enter([tool]).stdout for tool in ("iptables-save", "ip6tables-save"))
        return {
            "links": self.enter(["ip", "-brief", "address"]).stdout,
            "rules": "\n".join(line for line in rules.splitlines() if line.startswith("-A") or "DOCKER" in line),
            "forwarding": self.enter(["cat", "/proc/sys/net/ipv4/ip_forward"]).stdout,
            "mounts": "\n".join(line for line in Path("/proc/mounts").read_text().splitlines() if self.key in line),
            "processes": "\n".join(self.processes()),
            "cgroups": "\n".join(str(path) for path in Path("/sys/fs/cgroup").glob(f"**/zcp-demo-{self.key}")),
            "run": "\n".join(str(path) for path in Path("/run").glob(f"zcplatform-d*{self.key[:6]}*")),
        }

    def processes(self) -> Iterator[str]:
        network = Path(f"/proc/{self._network}/ns/net").readlink()
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if int(process.name) != self._network and words and (self.key in words or (process / "ns/net").readlink() == network):
                    yield words


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "scripts", checkout / "scripts")
    holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep 1000"], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"up\n"
    made = Demo(checkout, holder.pid)
    try:
        yield made
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            made.enter([str(checkout / "scripts" / "demo"), "stop"], PURGE="1")
        for server in made.servers:
            server.terminate()
            server.wait()
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_demo_from_the_first_run_to_the_last_stop(demo: Demo) -> None:
    before = demo.host()

    told = demo.run()
    first = demo.facts()
    assert [tenant["slug"] for tenant in first["tenants"]] == ["alpha", "beta"]
    assert [tenant["state"] for tenant in first["tenants"]] == ["running", "running"]
    _check_told(demo, told, first)
    assert _pair(demo, first["tenants"][0], first["tenants"][0]["pairing_code"]) == 200
    assert _pair(demo, first["tenants"][1], first["tenants"][0]["pairing_code"]) == 403

    _check_told(demo, demo.run(), second := demo.facts())
    assert _lasting(second) == _lasting(first)
    assert {tenant["pairing_code"] for tenant in first["tenants"]}.isdisjoint(tenant["pairing_code"] for tenant in second["tenants"])

    demo.run("stop")
    assert demo.host() == before
    assert (demo.state / "settings.toml").stat().st_mode & 0o777 == 0o600

    _check_told(demo, demo.run(), third := demo.facts())
    assert _lasting(third) == _lasting(first)

    demo.run("stop", PURGE="1")
    assert demo.host() == before
    assert not demo.state.exists()
    assert not (demo.checkout / ".demo").exists()
    assert Path(sys.prefix).exists()


def test_demo_says_what_is_wrong(demo: Demo) -> None:
    nobody = demo.enter(["setpriv", "--reuid=65534", "--clear-groups", "sh", str(ROOT / "scripts" / "demo")])
    assert (nobody.returncode, "needs root" in nobody.stderr) == (1, True)
    missing = demo.enter([str(demo.checkout / "scripts" / "demo")], AGENT="/nowhere/zeroclaw")
    assert (missing.returncode, "AGENT=/nowhere/zeroclaw is not a program" in missing.stderr) == (1, True)
    silent = demo.enter([str(demo.checkout / "scripts" / "demo")], DOCKER_HOST="unix:///nowhere.sock")
    assert (silent.returncode, "No Docker engine answers at /nowhere.sock" in silent.stderr) == (1, True)
    unknown = demo.enter([str(demo.checkout / "scripts" / "demo"), "restart"])
    assert (unknown.returncode, unknown.stderr.startswith("usage:")) == (2, True)


def _check_told(demo: Demo, told: str, facts: dict[str, Any]) -> None:
    """What is printed works as it stands."""
    lines = told.splitlines()
    command = next(line for line in lines if line.strip().startswith("curl "))
    answer = demo.enter(shlex.split(command))
    assert json.loads(answer.stdout)["response"].endswith("hello"), answer
    assert facts["api_url"] in told
    for tenant in facts["tenants"]:
        line = next(line for line in lines if line.startswith(f"{tenant['slug']} ") and tenant["url"] in line)
        assert tenant["pairing_code"] in line
        assert tenant["pairing_expires_at"] in line
        assert tenant["bearer"] not in told
    alias = shlex.split(next(line for line in lines if line.strip().startswith("alias zc=")))[1].removeprefix("zc=")
    shown = demo.enter([*shlex.split(alias), "tenants", "list", "--json"])
    assert {item["slug"] for item in json.loads(shown.stdout)} == {"alpha", "beta"}, shown
    examined = demo.enter([*shlex.split(alias), "doctor", "--json"]).stdout
    levels = {one["subject"]: one["level"] for one in json.loads(examined)}
    assert (levels.get("engine"), levels.get("database")) == ("ok", "ok"), examined
    listed = demo.enter(["curl", "-sS", "-H", f"Authorization: Bearer {facts['token']}", f"{facts['api_url']}/api/tenants"])
    assert {item["slug"]: item["state"] for item in json.loads(listed.stdout)["items"]} == {"alpha": "running", "beta": "running"}


def _pair(demo: Demo, tenant: dict[str, Any], code: str) -> int:
    done = demo.enter(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST", "-H", f"X-Pairing-Code: {code}", f"{tenant['url']}pair"]
    )
    return int(done.stdout)


def _lasting(facts: dict[str, Any]) -> list[Any]:
    return [facts["api_url"], facts["token"], *((tenant["slug"], tenant["url"], tenant["bearer"]) for tenant in facts["tenants"])]


REGISTRY = "ghcr.io"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
HOSTS = Path("/etc/hosts")


@pytest.fixture
def official(demo: Demo, tmp_path: Path) -> Iterator[Registry]:
    """A real registry that answers in the demo's network under the official one's name, with a certificate that this host believes."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", f"/CN={REGISTRY}", "-addext", f"subjectAltName=DNS:{REGISTRY}"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files], check=True, capture_output=True
    )
    believed, hosts = tmp_path / "believed.pem", tmp_path / "hosts"
    believed.write_bytes(CERTIFICATES.read_bytes() + certificate.read_bytes())
    hosts.write_text(HOSTS.read_text() + f"127.0.0.1 {REGISTRY}\n")
    made = Registry(tmp_path / "registry")
    # The tests' mounts are their own (scripts/test).
    for mine, place in ((believed, CERTIFICATES), (hosts, HOSTS)):
        subprocess.run(["mount", "--bind", str(mine), str(place)], check=True)
    try:
        made.start()
        demo.serve(made.secure(443, certificate, key))
        yield made
    finally:
        made.close()
        for place in (CERTIFICATES, HOSTS):
            subprocess.run(["umount", str(place)], check=True)


async def test_demo_takes_the_official_image_once_its_registry_has_it(
    demo: Demo, official: Registry, engine: Engine, docker: Docker, tmp_path: Path
) -> None:
    assert "the official image could not be pulled" in demo.run()
    tar = tmp_path / "agent.tar"
    recipe = await asyncio.to_thread(agent_image.demo, tar)
    name = f"{official.address}/zeroclaw-labs/zeroclaw:v0.8.7"
    await docker.import_image(tar, recipe.changes, name)
    command = ["docker", "-H", f"unix://{engine.socket}"]
    subprocess.run([*command, "push", name], check=True, capture_output=True)
    subprocess.run([*command, "rmi", name], check=True, capture_output=True)
    told = demo.run()
    assert f"{REGISTRY}/zeroclaw-labs/zeroclaw:v0.8.7" in told
    _check_told(demo, told, demo.facts())
