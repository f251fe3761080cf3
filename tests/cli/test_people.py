"""Users, members, tokens and plans on the command line, against the real API over TCP."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.panel import panel
from tests.cli.running import run
from tests.cli.terminal import terminal
from tests.web.conftest import Web
from tests.web.conftest import web as _web

web = _web
Zc = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def api(web: Web) -> Iterator[str]:
    """Its address."""
    with panel(web) as address:
        yield address


@pytest.fixture
def zc(web: Web, api: str, tmp_path: Path) -> Zc:
    """The command line as a super-admin of the host."""
    token = tmp_path / "token"
    token.write_text(web.token())

    def ask(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return run(tmp_path, "--api", api, "--token-file", str(token), *arguments, stdin=stdin)

    return ask


async def test_people_are_added_invited_and_removed(web: Web, zc: Zc) -> None:
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


async def test_a_service_account_is_created_and_revoked_with_a_reason(web: Web, zc: Zc) -> None:
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


async def test_a_super_admin_gives_a_reason_at_a_terminal_and_with_an_option_in_a_script(web: Web, api: str, tmp_path: Path) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    token = tmp_path / "token"
    token.write_text(web.token_of(web.user("root@example.com", is_super_admin=True)))
    command = ("--api", api, "--token-file", str(token), "members", "list", "shop", "--json")
    refused = run(tmp_path, *command)
    assert refused.returncode == 1
    assert "--reason TEXT" in refused.stderr
    with terminal(tmp_path, *command) as screen:
        screen.answer("will read why: ", "ticket 9")
        status, out = screen.end()
    assert (status, json.loads(out)) == (0, [])
    reasons = web.database.read(lambda tx: tx.execute("SELECT changes FROM audit_log WHERE action = 'member.read'").fetchall())
    assert [json.loads(row[0]) for row in reasons] == [{"reason": "ticket 9"}]


async def test_a_plan_is_edited(web: Web, zc: Zc) -> None:
    assert json.loads(zc("plans", "set", "free", "members=9", "--json").stdout)["members"] == 9
    assert zc("plans", "set", "free", "members=many").returncode == 1


async def test_what_a_plan_shows_can_be_typed(web: Web, zc: Zc) -> None:
    """A2: the table shows dollars and sizes, so dollars and sizes are what it takes."""
    assert zc("plans", "set", "free", "dollars_month=5.00", "memory=320M", "disk=1.5G").returncode == 0
    (plan,) = [one for one in json.loads(zc("plans", "list", "--json").stdout) if one["name"] == "free"]
    assert (plan["dollars_month_micros"], plan["memory_bytes"], plan["disk_bytes"]) == (5_000_000, 320 << 20, 3 << 29)
    lines = zc("plans", "list").stdout.splitlines()
    (row,) = [line for line in lines if line.startswith("free ")]
    assert {"5.00", "320M", "1.5G"} <= set(row.split())
    refused = zc("plans", "set", "free", "memory=lots")
    assert (refused.returncode, "memory=512M" in refused.stderr) == (1, True)


async def test_the_audit_log_is_listed_with_addresses(web: Web, zc: Zc) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    zc("users", "add", "ada@example.com")
    listed = zc("audit", "list", "--action", "user", "--since", "1h").stdout
    assert "user.create" in listed
    assert "ada@example.com" in listed
    entries = json.loads(zc("audit", "list", "shop", "--action", "tenant", "--json", "-n", "1").stdout)
    assert [one["action"] for one in entries] == ["tenant.create"]
    assert "No entries." in zc("audit", "list", "--since", "2999-01-01T00:00:00Z").stdout


async def test_events_that_are_kept_are_listed_and_new_ones_followed(web: Web, api: str, zc: Zc, tmp_path: Path) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    kept = [json.loads(line) for line in zc("events", "shop", "--after", "0", "--no-follow", "--json").stdout.splitlines()]
    assert kept[0]["kind"] == "tenant.created", kept
    assert kept[0]["id"].isdecimal()
    assert "tenant.created" in zc("events", "--after", "0", "--no-follow").stdout
    with terminal(tmp_path, "--api", api, "--token-file", str(tmp_path / "token"), "events") as screen:
        screen.read("Waiting for events. Ctrl+C ends.")


async def test_the_catalog_is_listed_and_explained(web: Web, zc: Zc) -> None:
    assert "telegram" in zc("channels", "types").stdout
    one = zc("channels", "types", "telegram").stdout
    assert "bot_token" in one
    assert "secret, required" in one
    assert zc("channels", "types", "carrier-pigeon").returncode == 1
    assert "anthropic" in (kinds := zc("providers", "types").stdout)
    assert "[" not in kinds
    assert json.loads(zc("providers", "types", "anthropic", "--json").stdout)["name"] == "anthropic"
    assert zc("providers", "types", "nobody").returncode == 1


async def test_the_first_two_commands_of_the_how_to_work_on_a_draft(web: Web, zc: Zc) -> None:
    """E1: settings and the key that they need are given together."""
    await web.client.post("/api/tenants", json={"slug": "acme"})
    model = ("providers.main.family=anthropic", "providers.main.model=claude-sonnet-4-5")
    without = zc("config", "set", "acme", *model)
    assert without.returncode == 1
    assert "api_key" in without.stderr
    done = zc("config", "set", "acme", *model, "--ask", "providers.main.api_key", stdin="sk-canary-wxyz-0123\n")
    assert done.returncode == 0, done.stderr
    assert "providers.main.api_key: saved" in zc("config", "show", "acme").stdout
    assert "canary" not in done.stdout + done.stderr
