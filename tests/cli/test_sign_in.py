"""Signing in at a terminal against the real API: a mailed code, a link, a fresh code where one is needed, and signing out."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.panel import panel
from tests.cli.running import run
from tests.cli.terminal import terminal
from tests.live.waiting import wait_until
from tests.web.conftest import Web
from tests.web.conftest import web as _web
from tests.web.people import code_of, messages, person, wrong
from zcplatform import clock
from zcplatform.core.login import LINK_LIVES
from zcplatform.ops import links

web = _web
ANN = "ann@example.com"
STALE = "UPDATE sessions SET stepped_up_at = '2026-01-01T00:00:00.000Z'"


@pytest.fixture
def api(web: Web) -> Iterator[str]:
    with panel(web, mail_host="mail.example", mail_from="zc@example.com") as address:
        yield address


def _code(web: Web, number: int) -> str:
    """The newest of so many that were mailed to Ann."""
    wait_until(lambda: len(messages(web, ANN)) >= number, 10, f"code {number} is in the outbox")
    return code_of(web, ANN)


def _sign_in(web: Web, api: str, home: Path) -> None:
    with terminal(home, "login", api, "--email", ANN) as screen:
        screen.read("Code: ")
        screen.type(_code(web, 1))
        assert screen.end()[0] == 0, screen.drawn


def _saved(home: Path) -> Path:
    return home / ".config" / "zcplatform" / "login.json"


async def test_a_mailed_code_signs_in_and_logout_ends_the_session(web: Web, api: str, tmp_path: Path) -> None:
    person(web, ANN)
    with terminal(tmp_path, "login", api, "--email", ANN) as screen:
        drawn = screen.read("Code: ")
        assert "a code is on its way" in drawn
        code = _code(web, 1)
        screen.type(wrong(code))
        screen.read("wrong")
        screen.answer("Code: ", f"{code[:4]} {code[4:]}")
        status, out = screen.end()
    assert (status, f"signed in as {ANN}" in out) == (0, True)
    assert _saved(tmp_path).stat().st_mode & 0o777 == 0o600
    session = json.loads(_saved(tmp_path).read_text())["logins"][api]["session"]
    assert session not in out + screen.drawn
    me = json.loads(run(tmp_path, "whoami", "--json").stdout)
    assert (me["name"], me["api"]) == (ANN, api)
    assert run(tmp_path, "logout").stdout == f"signed out of {api}\n"
    assert run(tmp_path, "whoami").returncode == 1
    left = json.loads(_saved(tmp_path).read_text())["logins"][api]
    assert set(left) == {"browser"}, "what marks this machine as known stays"
    assert web.database.read(lambda tx: tx.execute("SELECT end_reason FROM sessions").fetchall()) == [("logout",)]


async def test_an_address_that_nobody_has_gets_the_same_questions_and_no_session(web: Web, api: str, tmp_path: Path) -> None:
    done = run(tmp_path, "login", api, "--email", "nobody@example.com", stdin="12345678\n")
    assert done.returncode == 1
    assert "a code is on its way" in done.stderr
    assert not _saved(tmp_path).exists()


async def test_a_member_saves_a_key_invites_and_creates_a_token_at_a_terminal(web: Web, api: str, tmp_path: Path) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    person(web, ANN)
    web.member("shop", ANN, "manager")
    _sign_in(web, api, tmp_path)
    with terminal(
        tmp_path, "config", "set", "shop", "providers.main.family=anthropic", "providers.main.model=claude-sonnet-4-5",
        "--ask", "providers.main.api_key",
    ) as screen:  # fmt: skip
        screen.answer("providers.main.api_key: ", "sk-canary-typed")
        status, out = screen.end()
    assert (status, "sk-canary" in out + screen.drawn) == (0, False), screen.drawn
    assert [one["has_key"] for one in json.loads(run(tmp_path, "providers", "list", "shop", "--json").stdout)] == [True]
    web.database.write_now(lambda tx: tx.execute(STALE))
    with terminal(tmp_path, "tokens", "create", "ci", "--tenant", "shop", "--role", "viewer") as screen:
        assert f"It is on its way to {ANN}" in screen.read("Code: ")
        screen.type(_code(web, 2))
        status, out = screen.end()
    assert (status, out[:4]) == (0, "zcp_"), screen.drawn
    rows = "SELECT count(*) FROM tokens WHERE tenant_id IS NOT NULL"
    assert web.database.read(lambda tx: tx.execute(rows).fetchone()) == (1,), "the request was repeated, not done twice"
    assert "invited bob@example.com" in run(tmp_path, "members", "invite", "shop", "bob@example.com").stdout
    token = out.strip()
    assert json.loads(run(tmp_path, "whoami", "--api", api, "--json", ZCPLATFORM_TOKEN=token).stdout)["kind"] == "service"


async def test_without_a_terminal_a_stale_session_says_what_to_do(web: Web, api: str, tmp_path: Path) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    person(web, ANN)
    web.member("shop", ANN, "owner")
    _sign_in(web, api, tmp_path)
    web.database.write_now(lambda tx: tx.execute(STALE))
    done = run(tmp_path, "tenants", "rm", "shop", "--yes")
    assert done.returncode == 1
    assert "zcplatform login URL --email ADDRESS" in done.stderr


async def test_a_token_that_needs_a_person_says_so(web: Web, api: str, tmp_path: Path) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    user = person(web, ANN)
    web.member("shop", ANN, "owner")
    done = run(tmp_path, "tenants", "rm", "shop", "--yes", "--api", api, ZCPLATFORM_TOKEN=web.token_of(user))
    assert done.returncode == 1
    assert "Sign in as a person: zcplatform login URL --email ADDRESS" in done.stderr


async def test_a_wrong_token_says_what_anybody_can_do(api: str, tmp_path: Path) -> None:
    done = run(tmp_path, "tenants", "list", "--api", api, ZCPLATFORM_TOKEN=f"zcp_{'a' * 43}")
    assert done.returncode == 1
    assert "Sign in (zcplatform login URL --email ADDRESS), or ask the operator for a new token." in done.stderr


async def test_a_missing_permission_names_the_role_that_has_it(web: Web, api: str, tmp_path: Path) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    user = person(web, ANN)
    web.member("shop", ANN, "viewer")
    wanted = "role in this tenant is viewer; this needs at least contributor (permission `tenant.deploy`)"
    _sign_in(web, api, tmp_path)
    assert f"Your {wanted}" in run(tmp_path, "tenants", "deploy", "shop").stderr
    by_token = run(tmp_path, "tenants", "deploy", "shop", "--api", api, ZCPLATFORM_TOKEN=web.token_of(user))
    assert wanted.replace("role", "The role of this token", 1) in by_token.stderr


@pytest.mark.parametrize("is_whole", [True, False])
async def test_a_link_from_the_host_signs_in_once(web: Web, api: str, tmp_path: Path, is_whole: bool) -> None:
    person(web, ANN)
    at = clock.text(clock.now())
    link = web.database.write_now(lambda tx: links.make(tx, web.settings, web.keys.code_mac, links.active_user(tx, ANN), at, LINK_LIVES))
    typed = link if is_whole else link.partition("#link=")[2]
    done = run(tmp_path, "login", api, "--link", stdin=f"{typed}\n")
    assert done.stdout.startswith(f"signed in as {ANN}"), done.stderr
    again = run(tmp_path, "login", api, "--link", stdin=f"{typed}\n")
    assert again.returncode == 1
    assert json.loads(run(tmp_path, "whoami", "--json").stdout)["name"] == ANN, "the login before is kept"


async def test_where_no_mail_is_sent_the_way_in_is_named(web: Web, tmp_path: Path) -> None:
    with panel(web) as address:
        done = run(tmp_path, "login", address, "--email", ANN)
    assert done.returncode == 1
    assert "--link" in done.stderr


async def test_an_invitation_is_accepted_with_its_pasted_link(web: Web, api: str, tmp_path: Path) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    await web.client.post("/api/tenants/shop/members", json={"email": ANN, "role": "manager"})
    token = next(values["token"] for _, values in messages(web, ANN) if "token" in values)
    with terminal(tmp_path, "login", api, "--email", ANN) as screen:
        screen.read("Code: ")
        wait_until(lambda: any("code" in values for _, values in messages(web, ANN)), 10, "the code is in the outbox")
        screen.type(next(values["code"] for _, values in messages(web, ANN) if "code" in values))
        assert screen.end()[0] == 0, screen.drawn
    done = run(tmp_path, "members", "accept", stdin=f"{api}/invitation#token={token}\n")
    assert done.stdout == "you are manager of shop\n", done.stderr


@pytest.mark.parametrize("link", ["https://panel.agents.example.com/login#link=abc", "http://[::#link=abc"])
def test_a_link_is_sent_to_no_other_installation(tmp_path: Path, link: str) -> None:
    done = run(tmp_path, "login", "https://panel.evil.invalid", "--link", stdin=f"{link}\n")
    assert done.returncode == 1
    assert "panel.agents.example.com; it was not sent to panel.evil.invalid" in done.stderr or "is not a link" in done.stderr


@pytest.mark.parametrize("host", ["panel.agents.example.com", "127.0.0.1.example.com", "127.example.com", "10.0.0.5"])
def test_a_session_is_never_begun_over_plain_http_to_another_host(tmp_path: Path, host: str) -> None:
    done = run(tmp_path, "login", f"http://{host}", "--email", ANN)
    assert done.returncode == 1
    assert f"https://{host}" in done.stderr


async def test_the_login_of_each_address_is_kept_and_chosen(web: Web, api: str, tmp_path: Path) -> None:
    person(web, ANN)
    _sign_in(web, api, tmp_path)
    other = api.replace("panel.localhost", "127.0.0.1")
    assert run(tmp_path, "login", other, stdin=f"{web.token()}\n").returncode == 0
    kinds = [json.loads(run(tmp_path, "whoami", "--json", *more).stdout)["kind"] for more in ((), ("--api", api), ("--api", other))]
    assert kinds == ["token", "user", "token"]
    assert run(tmp_path, "logout").returncode == 0
    assert json.loads(run(tmp_path, "whoami", "--json").stdout)["kind"] == "user", "the other login is the current one now"
