"""S-53: nothing that is sent becomes a path. What the process opens, lists, makes or removes while it is fed paths is watched by Python's own hook."""

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.attacks.test_canaries import _body, _poisoned, _resolved, _routes, _unlimited
from tests.web.conftest import Web
from tests.web.conftest import web as web

ROOT = Path(__file__).parents[2]
MARK = "zcp-trap"
WATCHED = frozenset({"open", "os.listdir", "os.scandir", "os.mkdir", "os.rmdir", "os.remove", "os.rename", "os.link", "os.symlink", "os.chmod", "os.chown",
    "os.truncate", "os.utime", "os.chdir", "os.mkfifo", "os.walk", "glob.glob", "shutil.rmtree", "shutil.copyfile", "shutil.move", "subprocess.Popen", "os.exec",
    "sqlite3.connect", "socket.connect"})  # fmt: skip


class Watch:
    """The hook cannot be removed again: it is installed once and records only while it is switched on."""

    def __init__(self) -> None:
        self.is_on = False
        self.seen: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.is_on and event in WATCHED:
            self.seen += [str(one) if not isinstance(one, bytes) else one.decode(errors="replace") for one in arguments]


WATCH = Watch()


@pytest.fixture
def watch() -> Iterator[Watch]:
    WATCH.seen, WATCH.is_on = [], True
    yield WATCH
    WATCH.is_on = False


def _traps(folder: str) -> list[str]:
    """Ways of writing a file that is there, and that the process could read."""
    file = f"{folder}/{MARK}"
    up = "../" * 12
    return [file, up + file[1:], "a/../../" * 6 + MARK, f"./{MARK}", f"{MARK}\0", f"{up}{MARK}", quote(up + file[1:], safe=""), f"file://{file}", f"-{MARK}",
        f"~/{MARK}", f"$HOME/{MARK}", f"..\\..\\{MARK}", f"%2e%2e%2f{MARK}", f"{MARK}%00"]  # fmt: skip


async def test_nothing_that_is_sent_becomes_a_path(web: Web, watch: Watch, tmp_path: Path) -> None:
    web.client._transport.app.state.rates = _unlimited(web)  # type: ignore[attr-defined]
    web.client._transport.app.state.watcher.stopped.set()  # type: ignore[attr-defined]
    folder = tempfile.mkdtemp(dir=tmp_path)
    await web.client.post("/api/tenants", json={"slug": "shop"})
    asked = 0
    for trap in _traps(folder):
        for method, path, told in _routes(("get", "post", "put", "patch", "delete")):
            for name in re.findall(r"\{(\w+)\}", path):
                own = {"tenant": "shop", name: trap}
                address = re.sub(r"\{(\w+)\}", lambda match, own=own: quote(own.get(match[1], "abc"), safe=""), path)  # type: ignore[misc]
                await web.client.request(method, address, headers={"Idempotency-Key": MARK, "X-Reason": trap.replace("\0", "")})
                asked += 1
            if not trap.startswith("/"):
                continue  # bodies are many: one spelling in each of their fields
            content = told.get("requestBody", {}).get("content", {}).get("application/json")
            for place, body in _poisoned(_body(content["schema"])) if content and _resolved(content["schema"]) else ():
                if place.endswith((")", "+")):
                    continue
                sent = json.dumps(body).replace("C4n4ry~9fQ-", trap)
                await web.client.request(
                    method,
                    re.sub(r"\{\w+\}", "abc", path.replace("{tenant}", "shop")),
                    content=sent,
                    headers={"Content-Type": "application/json"},
                )
                asked += 1
    assert asked > 1_000
    assert [one for one in watch.seen if MARK in one] == []
    own = (str(web.settings.data_dir), str(web.settings.run_dir), sys.prefix, sys.base_prefix, str(ROOT))
    assert {one for one in watch.seen if one.startswith("/") and not one.startswith(own)} == set()


def test_the_watch_sees_what_is_opened(watch: Watch, tmp_path: Path) -> None:
    (tmp_path / MARK).write_text("x")
    assert list(tmp_path.iterdir()) == [tmp_path / MARK]
    assert str(tmp_path / MARK) in watch.seen
