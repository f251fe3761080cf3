"""The ways in for people: at a terminal, and with the links of mails and of the host in a real browser. Through Caddy, with mail that arrives."""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import run
from tests.cli.terminal import terminal
from tests.live.browsers import Browser
from tests.live.chromium import Page, browser
from tests.live.engine import Engine
from tests.live.installation import AT
from tests.live.platform import Platform
from tests.live.post import Post
from tests.live.waiting import wait_until
from zcplatform.core.roles import Role
from zcplatform.ids import new_user_id
from zcplatform.store import members, tenants, users
from zcplatform.store.db import Tx, require

pytestmark = pytest.mark.live
ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@example.com"
STALE = "UPDATE sessions SET stepped_up_at = '2026-01-01T00:00:00.000Z'"


@pytest.fixture(scope="module")
def platform(engine: Engine, post: Post) -> Iterator[Platform]:
    mail = {"mail_host": "127.0.0.1", "mail_port": post._port, "mail_security": "none", "mail_from": "zc@example.com"}
    made = Platform(engine, "signin", **mail)
    try:
        made.start()
        with contextlib.closing(Browser(made)) as first:
            wait_until(lambda: first.ask("GET", "/api/auth/methods").status_code == 200, 20, "the edge knows the panel")
        assert made.api("POST", "/api/tenants", {"slug": "shop"}).status == 201
        _manager(made, "shop", ANN)
        yield made
    finally:
        made.close()


def _manager(platform: Platform, slug: str, email: str) -> None:
    def write(tx: Tx) -> None:
        user = users.User(new_user_id(), email, "", 0, None, None, AT)
        users.insert(tx, user)
        members.put(tx, members.Member(require(tenants.find(tx, slug)).id, user.id, Role.MANAGER, AT))

    with platform.database() as database:
        database.write_now(write)


def _sign_in(platform: Platform, post: Post, home: Path, email: str) -> None:
    home.mkdir(exist_ok=True)
    before = len(post.sink.to(email))
    with terminal(home, "login", platform.settings.panel_url, "--email", email) as screen:
        screen.read("Code: ")
        screen.type(post.code(email, before + 1))
        assert screen.end()[0] == 0, screen.drawn


def test_a_member_does_at_a_terminal_what_needs_a_fresh_code(platform: Platform, post: Post, tmp_path: Path) -> None:
    """E2: an invited manager saves a key of their own, invites somebody, and creates a token; who was invited accepts."""
    home = tmp_path / "ann"
    _sign_in(platform, post, home, ANN)
    with platform.database() as database:
        database.write_now(lambda tx: tx.execute(STALE))
    model = ("providers.main.family=anthropic", "providers.main.model=claude-sonnet-4-5")
    with terminal(home, "config", "set", "shop", *model, "--ask", "providers.main.api_key") as screen:
        screen.answer("providers.main.api_key: ", "sk-canary-typed-by-ann")
        screen.read("Code: ")
        screen.type(post.code(ANN, 2))
        status, out = screen.end()
    assert (status, "sk-canary" in out + screen.drawn) == (0, False), screen.drawn
    assert "saved" in run(home, "providers", "list", "shop").stdout
    made = run(home, "tokens", "create", "ci", "--tenant", "shop", "--role", "viewer")
    assert made.stdout.startswith("zcp_"), made.stderr
    assert "invited bob@example.com by mail" in run(home, "members", "invite", "shop", BOB, "--role", "viewer").stdout
    link = re.search(r"https?://\S+/invitation#token=\S+", post.text(BOB))
    assert link is not None
    other = tmp_path / "bob"
    _sign_in(platform, post, other, BOB)
    assert run(other, "members", "accept", stdin=f"{link[0]}\n").stdout == "you are viewer of shop\n"
    listed = run(tmp_path, "tenants", "list", "--json", ZCPLATFORM_API=platform.settings.panel_url, ZCPLATFORM_TOKEN=made.stdout.strip())
    assert [one["slug"] for one in json.loads(listed.stdout)] == ["shop"]
    assert run(home, "logout").returncode == 0
    assert run(home, "whoami").returncode == 1


@pytest.fixture(scope="module")
def page(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    profile = tmp_path_factory.mktemp("browser") / "profile"
    with browser(profile, "localhost", {f"{platform.settings.panel_url}/never": ""}) as opened:
        yield opened


def _open(page: Page, address: str) -> None:
    """A page of ours, when its script has begun."""
    page.go("about:blank")
    page.go(address)
    wait_until(lambda: page.run("return document.body.dataset.ready") == "yes", 10, "the page's script has begun")


def _press(page: Page, selector: str, shows: str) -> None:
    page.run(f"document.querySelector({json.dumps(selector)}).click()")
    _until_shown(page, shows)


def _until_shown(page: Page, text: str) -> None:
    wait_until(lambda: text in page.run("return document.querySelector('main').innerText"), 10, f"the page shows {text!r}")


def _type(page: Page, field: str, text: str) -> None:
    page.run(f"document.getElementById({json.dumps(field)}).value = {json.dumps(text)}")


def _admin(platform: Platform, *arguments: str) -> str:
    command = [sys.executable, "-I", "-m", "zcplatform", "--settings", str(platform.settings_path), "admin", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_link_of_the_host_is_used_by_a_press_of_its_button_only(platform: Platform, page: Page) -> None:
    """E3: looking at it, as programs that check mail do, does not use it up."""
    link = json.loads(_admin(platform, "bootstrap", "--email", EVE, "--json"))["url"]
    for _ in range(2):
        _open(page, link)
        _until_shown(page, "Press the button")
    shown = page.run("return document.querySelector('main').innerText")
    assert f"zcplatform login {platform.settings.panel_url} --link" in shown
    _press(page, "#use-link", f"You are signed in as {EVE}")
    assert f"zcplatform login {platform.settings.panel_url} --email {EVE}" in page.run("return document.querySelector('main').innerText")
    assert page.run("return location.hash") == ""
    assert page.run("return (await fetch('/api/me')).status") == 200
    _press(page, "#sign-out", "E-mail address")
    assert page.run("return (await fetch('/api/me')).status") == 401
    _open(page, link)
    _press(page, "#use-link", "was used already or has expired")


def test_a_code_signs_in_on_the_page_and_a_wrong_one_is_explained(platform: Platform, post: Post, page: Page) -> None:
    before = len(post.sink.to(ANN))
    _open(page, f"{platform.settings.panel_url}/login")
    _until_shown(page, "Send me a code")
    _type(page, "email", ANN)
    _press(page, "#email-form button", "a code is on its way")
    _type(page, "code", "00000000")
    _press(page, "#code-form button", "wrong")
    _type(page, "code", post.code(ANN, before + 1))
    _press(page, "#code-form button", f"You are signed in as {ANN}")
    _press(page, "#sign-out", "E-mail address")


def test_an_invitation_is_accepted_after_signing_in(platform: Platform, post: Post, page: Page) -> None:
    guest = "guest@example.com"
    assert platform.api("POST", "/api/tenants/shop/members", {"email": guest, "role": "contributor"}).status == 201
    link = re.search(r"https?://\S+/invitation#token=\S+", post.text(guest))
    assert link is not None
    _open(page, link[0])
    _until_shown(page, "Sign in with the e-mail address that was invited")
    _type(page, "email", guest)
    _press(page, "#email-form button", "a code is on its way")
    _type(page, "code", post.code(guest, 2))
    _press(page, "#code-form button", f"You are signed in as {guest}")
    _press(page, "#use-invitation", "You are now contributor of shop")
    _open(page, link[0])
    _press(page, "#use-invitation", "was used, has expired")
    _open(page, f"{platform.settings.panel_url}/invitation")
    _until_shown(page, "Open the whole link from the mail")


def test_nothing_was_blocked_by_the_policy_and_nobody_else_was_asked(platform: Platform, page: Page) -> None:
    """What the pages above did, seen by the browser."""
    blocked = [event["entry"]["text"] for event in page.heard("Log.entryAdded") if "Content Security Policy" in event["entry"]["text"]]
    assert blocked == []
    requested = {event["request"]["url"] for event in page.heard("Network.requestWillBeSent")}
    assert requested
    assert {url for url in requested if not url.startswith((platform.settings.panel_url, "about:"))} == set()
    tokens = [url for url in requested if "token=" in url or "link=" in url]
    assert tokens == [], "the fragment is sent to nobody"
