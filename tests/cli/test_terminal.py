"""On a terminal: steps are drawn while they run, and a key entered at a prompt is not shown."""

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

from tests.cli.running import environment
from tests.fakes.apis import Honest, serving
from tests.forked import LIMIT_S


def _command(api: str, home: Path, *arguments: str) -> list[str]:
    token = home / "token"
    token.write_text("zcp_secret\n")
    return [sys.executable, "-m", "zcplatform", "--api", api, "--token-file", str(token), *arguments]


def _read(terminal: int, until: bytes) -> bytes:
    """What is drawn, up to a text or to the end."""
    seen = b""
    while until not in seen:
        assert select.select([terminal], [], [], LIMIT_S)[0], f"nothing more is drawn after {seen!r}"
        try:
            part = os.read(terminal, 4096)
        except OSError:  # nobody has the other end open any more
            break
        if not part:
            break
        seen += part
    return seen


def test_steps_are_drawn_while_they_go(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with serving(Honest) as (api, _):
        process = subprocess.Popen(
            _command(api, tmp_path, "tenants", "deploy", "shop"),
            stdout=subprocess.DEVNULL, stderr=theirs, stdin=subprocess.DEVNULL, env=environment(tmp_path, TERM="xterm"),
        )  # fmt: skip
        os.close(theirs)
        drawn = _read(ours, b"\0").decode()
        assert process.wait(LIMIT_S) == 0
    os.close(ours)
    assert "tenant.deploy running" in drawn
    assert "▸ start" in drawn
    assert "✔ start" in drawn


def test_a_key_is_asked_for_and_not_shown(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with serving(Honest) as (api, fake):
        process = subprocess.Popen(
            _command(api, tmp_path, "tenants", "create", "shop", "--provider", "openai", "--model", "m", "--key-file", "-"),
            stdout=theirs, stderr=theirs, stdin=theirs, env=environment(tmp_path, TERM="xterm"), start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        drawn = _read(ours, b"provider: ")  # the last blank is written after what was typed before was thrown away
        os.write(ours, b"sk-typed\n")
        drawn += _read(ours, b"\0")
        assert process.wait(LIMIT_S) == 0, drawn
    os.close(ours)
    assert b"sk-typed" not in drawn
    body = next(body for method, _, _, body in fake.seen if method == "POST")
    assert json.loads(body)["provider"]["api_key"] == "sk-typed"
