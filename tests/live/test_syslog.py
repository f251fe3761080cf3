"""Anchors in a real system log: they arrive, also over TCP and UDP, are verified, and a log that is not there is reported and waited for."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.live.edge_rig import free_port
from tests.live.engine import Engine
from tests.live.platform import Platform
from tests.live.waiting import wait_until
from zcplatform.store.db import Database, connect
from zcplatform.vault import keys
from zcplatform.worker.anchors import Anchors
from zcplatform.worker.metrics import Metrics

pytestmark = pytest.mark.live


@contextmanager
def keeper(folder: Path, name: str, configuration: str) -> Iterator[None]:
    """A real rsyslogd, there when this begins."""
    path = folder / f"{name}.conf"
    path.write_text(configuration)
    command = ["rsyslogd", "-n", "-f", str(path), "-i", str(folder / f"{name}.pid")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until((folder / f"{name}.pid").exists, 10, "rsyslogd runs")
        yield
    finally:
        process.terminate()
        process.wait(10)


def local(folder: Path, *actions: str) -> str:
    listens = f'module(load="imuxsock" SysSock.Use="off")\ninput(type="imuxsock" Socket="{folder}/log")\n'
    return listens + "".join(f"authpriv.* {action}\n" for action in (f'action(type="omfile" File="{folder}/here")', *actions))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, because a socket is in it."""
    made = Path(subprocess.run(["mktemp", "-d", "/run/zl-XXXX"], capture_output=True, text=True, check=True).stdout.strip())
    yield made
    subprocess.run(["rm", "-rf", str(made)], check=True)


@pytest.fixture
def logging(engine: Engine, folder: Path) -> Iterator[Platform]:
    made = Platform(engine, "logging", audit_anchor="syslog", syslog_socket=str(folder / "log"))
    try:
        yield made
    finally:
        made.close()


def zcplatform(platform: Platform, *arguments: str) -> subprocess.CompletedProcess[str]:
    told = {"PATH": os.environ["PATH"], "ZCPLATFORM_SETTINGS": str(platform.settings_path)}
    return subprocess.run([sys.executable, "-I", "-m", "zcplatform", *arguments], capture_output=True, text=True, check=False, env=told)


def anchor_finding(platform: Platform) -> dict[str, str]:
    found = json.loads(zcplatform(platform, "doctor", "--json").stdout)
    return next(one for one in found if one["subject"] == "audit_anchor")


def verified(platform: Platform, received: Path) -> subprocess.CompletedProcess[str]:
    key = zcplatform(platform, "admin", "audit", "key").stdout.strip()
    named = ("--file", str(platform.settings.database), "--anchors", str(received), "--public-key", key)
    return zcplatform(platform, "audit", "verify", *named, "--json")


def lines(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_anchors_arrive_here_and_elsewhere_and_are_verified(logging: Platform, folder: Path) -> None:
    tcp, udp = free_port(), free_port()
    elsewhere = (
        f'module(load="imtcp")\ninput(type="imtcp" address="127.0.0.1" port="{tcp}" ruleset="t")\n'
        f'module(load="imudp")\ninput(type="imudp" address="127.0.0.1" port="{udp}" ruleset="u")\n'
        f'ruleset(name="t") {{ action(type="omfile" File="{folder}/tcp") }}\nruleset(name="u") {{ action(type="omfile" File="{folder}/udp") }}\n'
    )
    sends = [
        f'action(type="omfwd" Target="127.0.0.1" Port="{port}" Protocol="{protocol}")' for port, protocol in ((tcp, "tcp"), (udp, "udp"))
    ]
    places = [folder / name for name in ("here", "tcp", "udp")]
    with keeper(folder, "elsewhere", elsewhere), keeper(folder, "near", local(folder, *sends)):
        wait_until(lambda: anchor_finding(logging)["level"] == "ok", 10, "the log is kept")
        logging.start_serve()
        logging.stop_serve()
        for place in places:
            wait_until(lambda place=place: lines(place) == 2, 10, f"two anchors are in {place}")  # type: ignore[misc]
    for place in places:
        found = verified(logging, place)
        assert found.returncode == 0, found.stderr
        assert json.loads(found.stdout)["anchors"] == 2
        kinds = [json.loads(line[line.find("{") :])["kind"] for line in place.read_text().splitlines()]
        assert kinds == ["start", "stop"]
    connection = connect(logging.settings.database, query_only=False)
    for sql in ("DROP TRIGGER audit_log_no_delete", "DELETE FROM audit_log WHERE sequence = (SELECT max(sequence) FROM audit_log)",
                "UPDATE sqlite_sequence SET seq = seq - 1 WHERE name = 'audit_log'"):  # fmt: skip
        connection.execute(sql)
    connection.close()
    assert verified(logging, places[1]).returncode == 1, "a cut tail is found by the copy elsewhere"


def test_a_log_that_nobody_keeps_is_told(logging: Platform) -> None:
    assert anchor_finding(logging)["level"] == "problem"
    logging.start_serve()
    logging.token = logging.new_token()
    wait_until(lambda: '"loop": "anchors"' in logging.log(), 10, "the log shows it")
    assert "No system log listens at" in logging.log()
    with logging.client() as client:
        told = client.get("/metrics").text
        assert 'zcplatform_worker_audit_anchors_total{outcome="failed"} 1.0' in told
        assert client.get("/readyz").status_code == httpx2.codes.OK


async def test_an_anchor_is_tried_again_until_somebody_keeps_the_log(logging: Platform, folder: Path) -> None:
    logging.start_serve()
    logging.stop_serve()
    database, metrics = Database(logging.settings.database), Metrics()
    anchors = Anchors(logging.settings, keys.Keys.of(keys.load(logging.settings.key_file)), database, metrics, again_s=0.05)
    running = asyncio.create_task(anchors.loop.forever())
    with ExitStack() as held:
        await asyncio.to_thread(wait_until, lambda: _failed(metrics) >= 2, 10, "it was tried twice")
        held.enter_context(keeper(folder, "near", local(folder)))
        await asyncio.to_thread(wait_until, lambda: lines(folder / "here") == 1, 10, "it arrived")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    database.close()
    assert verified(logging, folder / "here").returncode == 0


def _failed(metrics: Metrics) -> float:
    found = [line for line in metrics.text().splitlines() if line.startswith('zcplatform_worker_audit_anchors_total{outcome="failed"}')]
    return float(found[0].rpartition(" ")[2]) if found else 0
