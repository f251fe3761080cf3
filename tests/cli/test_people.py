"""Users, members, tokens and plans on the command line, against the real API over TCP."""

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn

from tests.cli.running import environment, run
from tests.forked import LIMIT_S
from tests.web.conftest import Web
from tests.web.conftest import web as _web

web = _web
Zc = Callable[..., subprocess.CompletedProcess[str]]


class _Quiet(uvicorn.Server):
    """A server in a thread; signals stay with the tests."""

    def install_signal_handlers(self) -> None:
        """None."""


@pytest.fixture
def api(web: Web) -> Iterator[str]:
    """Its address."""
    config = uvicorn.Config(web.client._transport.app, port=0, log_config=None, lifespan="off")  # type: ignore[attr-defined]
    server = _Quiet(config)
    listener = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def zc(web: Web, api: str, tmp_path: Path) -> Zc:
    """The command line as a super-admin of the host."""
    token = tmp_path / "token"
    token.write_text(web.token())

    def ask(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return run(tmp_path, "--api", api, "--token-file", str(token), *arguments, stdin=stdin)

    return ask


async def test_people_are_added_let_in_and_sent_away(web: Web, zc: Zc) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    assert zc("users", "add", "Ada@example.com", "--name", "Ada").returncode == 0
    told = zc("members", "invite", "shop", "ada@example.com", "--role", "manager")
    assert "#token=" in told.stdout, told.stderr
    web.member("shop", "ada@example.com", "manager")
    changed = json.loads(zc("members", "set", "shop", "ada@example.com", "viewer", "--json").stdout)
    assert [(item["email"], item["role"]) for item in changed] == [("ada@example.com", "viewer")]
    assert "No members." in zc("members", "rm", "shop", "ada@example.com").stdout
    assert "disabled" in zc("users", "disable", "ada@example.com").stdout
    assert zc("users", "delete", "ada@example.com", stdin="n\n").returncode == 1
    assert zc("users", "delete", "ada@example.com", stdin="y\n").stdout.endswith("deleted\n")
    assert zc("users", "show", "ada@example.com").returncode == 1


async def test_a_service_account_is_made_and_revoked_and_a_reason_is_told(web: Web, zc: Zc) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    made = zc("--reason", "ticket 7", "tokens", "create", "ci", "--tenant", "shop", "--role", "viewer", "--scope", "tenant.read")
    assert made.stdout.startswith("zcp_"), made.stderr
    row = web.database.read(lambda tx: tx.execute("SELECT changes, object FROM audit_log ORDER BY sequence DESC LIMIT 1").fetchone())
    assert json.loads(row[0])["reason"] == "ticket 7"
    assert zc("tokens", "revoke", row[1], "--tenant", "shop").stdout == "revoked\n"


async def test_the_end_of_a_secret_is_listed(web: Web, zc: Zc) -> None:
    provider = {"family": "anthropic", "model": "claude-sonnet-4-5", "api_key": "sk-canary-longer-wxyz"}
    assert (await web.client.post("/api/tenants", json={"slug": "shop", "provider": provider})).status_code == 201
    told = zc("secrets", "list", "shop").stdout
    assert "…wxyz" in told
    assert "canary" not in told
    assert zc("secrets", "set", "shop", "providers.main.api_key", "--no-wait", stdin="sk-short-abcd\n").returncode == 0
    assert "abcd" not in zc("secrets", "list", "shop").stdout


async def test_a_super_admin_is_asked_why_at_a_terminal_and_told_how_in_a_script(web: Web, api: str, tmp_path: Path) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    token = tmp_path / "token"
    token.write_text(web.token_of(web.user("root@example.com", is_super_admin=True)))
    command = ("--api", api, "--token-file", str(token), "members", "list", "shop", "--json")
    refused = run(tmp_path, *command)
    assert refused.returncode == 1
    assert "--reason TEXT" in refused.stderr
    ours, theirs = pty.openpty()
    asked = subprocess.Popen(
        [sys.executable, "-m", "zcplatform", *command],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
    )
    os.close(theirs)
    os.write(ours, b"ticket 9\n")
    out, told = asked.communicate(timeout=LIMIT_S)
    os.close(ours)
    assert (asked.returncode, json.loads(out)) == (0, [])
    assert b"will read why" in told
    reasons = web.database.read(lambda tx: tx.execute("SELECT changes FROM audit_log WHERE action = 'member.read'").fetchall())
    assert [json.loads(row[0]) for row in reasons] == [{"reason": "ticket 9"}]


async def test_a_plan_is_edited(web: Web, zc: Zc) -> None:
    assert json.loads(zc("plans", "set", "free", "members=9", "--json").stdout)["members"] == 9
    assert zc("plans", "set", "free", "members=many").returncode == 1
