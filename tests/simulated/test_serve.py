"""`zcplatform serve --simulated`: any user, no Docker; the whole API, and every response says that it is simulated."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.live.waiting import wait_until
from zcplatform.errors import CannotRun
from zcplatform.settings import Settings
from zcplatform.simulated import HEADER, run

NOBODY = 65_534


def _become_nobody() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


@contextmanager
def _folder_for_everybody() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@contextmanager
def simulation() -> Iterator[tuple[httpx2.Client, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "zcplatform", "serve", "--simulated"]
    environment = {name: value for name, value in os.environ.items() if name not in ("ZCPLATFORM_TOKEN", "ZCPLATFORM_URL")}
    with (
        _folder_for_everybody() as folder,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**environment, "TMPDIR": str(folder)},
            preexec_fn=_become_nobody,
            cwd=Path(__file__).parents[2],
        ) as process,
    ):
        assert process.stdout is not None
        try:
            assert "SIMULATED" in process.stdout.readline()
            url = process.stdout.readline().strip()
            token = process.stdout.readline().split()[-1]
            with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=20) as client:
                yield client, process
        finally:
            process.terminate()
            assert process.wait(20) == 0
            assert list(folder.iterdir()) == [], "temporary data is left"


def _state(client: httpx2.Client) -> str:
    return str(client.get("/api/tenants/shop").json()["state"])


def test_a_client_can_be_developed_against_it() -> None:
    with simulation() as (client, process):
        for path in ("/healthz", "/readyz", "/api/tenants", "/api/nothing", "/api/loops"):
            answer = client.get(path)
            assert answer.headers[HEADER] == "true", path
        assert client.get("/readyz").status_code == 200
        assert client.post("/api/tenants", json={"slug": "shop"}).status_code == 201
        assert client.post("/api/tenants/shop/deploy").status_code == 202
        wait_until(lambda: _state(client) == "running", 20, "it runs")
        said = client.post("/api/tenants/shop/messages", json={"text": "hello"})
        assert (said.status_code, "hello" in said.text) == (200, True), said.text
        assert client.post("/api/tenants/shop/pairing-code").status_code == 200
        assert client.get("/api/tenants/shop/devices").status_code == 200
        assert client.post("/api/tenants/shop/stop").status_code == 202
        wait_until(lambda: _state(client) == "stopped", 20, "it is stopped")
        assert client.post("/api/auth/otp/request", json={"email": "admin@example.com"}).status_code == 202
        assert process.stdout is not None
        printed = ""
        while not re.search(r"\b\d{4} ?\d{4}\b", printed):
            printed += process.stdout.readline()


def test_the_printed_command_works() -> None:
    with simulation() as (_, process):
        assert process.stdout is not None
        *variables, program, subject, verb = process.stdout.readline().split()
        assert program == "zcplatform"
        shown = subprocess.run(
            [sys.executable, "-m", "zcplatform", subject, verb, "--json"],
            env={**os.environ, **dict(variable.split("=", 1) for variable in variables)},
            capture_output=True,
            text=True,
            timeout=30,
            cwd=Path(__file__).parents[2],
        )
        assert (shown.returncode, shown.stdout.strip()) == (0, "[]"), shown.stderr


def test_real_data_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(CannotRun) as refused:
        run(Settings(data_dir=tmp_path / "data"))
    assert refused.value.code == "simulated.real_data"
