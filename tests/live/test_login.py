"""Signing in to a running platform: through Caddy, with mail that really arrives, and with processes killed in between."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests import timing
from tests.live.browsers import Browser
from tests.live.engine import Engine
from tests.live.installation import AT
from tests.live.platform import Platform
from tests.live.post import Post
from tests.live.waiting import wait_until
from zcplatform.ids import new_user_id
from zcplatform.store import outbox, users

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def platform(engine: Engine, post: Post) -> Iterator[Platform]:
    mail = {"mail_host": "127.0.0.1", "mail_port": post._port, "mail_security": "none", "mail_from": "zc@example.com"}
    made = Platform(engine, "login", **mail)
    try:
        made.start()
        with contextlib.closing(Browser(made)) as first:
            wait_until(lambda: first.ask("GET", "/api/auth/methods").status_code == 200, 20, "the edge knows the panel")
        yield made
    finally:
        made.close()


@pytest.fixture
def browsers(platform: Platform) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:

        def make(address: str = "127.0.0.1") -> Browser:
            return stack.enter_context(contextlib.closing(Browser(platform, address)))

        yield make


def _person(platform: Platform, email: str) -> None:
    with platform.database() as database:
        database.write_now(lambda tx: users.insert(tx, users.User(new_user_id(), email, "", 0, None, None, AT)))


def _admin(platform: Platform, *arguments: str) -> str:
    command = [sys.executable, "-I", "-m", "zcplatform", "--settings", str(platform.settings_path), "admin", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _everywhere(platform: Platform) -> bytes:
    """Every file of the installation, and what a stranger on the host sees of its processes."""
    assert platform.serve is not None
    paths = [path for root in (platform.root, platform.run) for path in root.rglob("*") if path.is_file()]
    for pid in (platform.serve.pid, platform.web_pid()):
        paths += [Path(f"/proc/{pid}/environ"), Path(f"/proc/{pid}/cmdline")]
    return b"\n".join(path.read_bytes() for path in paths)


def test_a_whole_login_with_everything_killed_in_between(platform: Platform, post: Post, browsers: Any) -> None:
    """S-20: the challenge and the session survive; the end of the session does, too."""
    _person(platform, "ann@example.com")
    ann = browsers()
    assert ann.request_code("ann@example.com").status_code == 202
    code = post.code("ann@example.com")
    os.kill(platform.web_pid(), signal.SIGKILL)
    wait_until(platform.is_ready, 20, "the web process is back")
    assert ann.give(code).status_code == 200
    assert ann.give(code).status_code == 401
    platform.kill_serve()
    platform.start_serve()
    assert ann.status() == 200
    stolen = dict(ann.cookies)
    assert ann.ask("POST", "/api/auth/logout", Origin="http://shop.localhost").status_code == 403
    assert ann.ask("POST", "/api/auth/logout").status_code == 204
    platform.kill_serve()
    platform.start_serve()
    ann.cookies = stolen
    assert ann.status() == 401


def test_a_code_lies_nowhere_in_clear_while_it_waits(platform: Platform, post: Post, browsers: Any) -> None:
    """The mail server is away: the code waits in the outbox, and comes when it is back."""
    _person(platform, "canary@example.com")
    browser = browsers()
    post.close()
    assert platform.serve is not None
    platform.serve.send_signal(signal.SIGSTOP)  # a request for a code waits neither for mail nor for the worker that sends it
    try:
        assert browser.request_code("canary@example.com").status_code == 202
    finally:
        platform.serve.send_signal(signal.SIGCONT)
    wait_until(lambda: "mail could not be sent" in platform.log(), 10, "the log says that mail does not go")
    waiting = _everywhere(platform)
    post.open()
    code = post.code("canary@example.com")
    challenge = browser.cookies["__Host-zcp_challenge"]
    assert browser.give(code).status_code == 200
    with platform.database() as database:
        wait_until(lambda: database.read(lambda tx: outbox.due(tx, "2999-01-01T00:00:00.000Z", "9999", 1)) == [], 10, "the box is gone")
    after = _everywhere(platform)
    session = browser.cookies["__Host-zcp_session"]
    for held in (waiting, after):
        for secret in (code, challenge, session):
            for form in (secret, secret.encode().hex(), secret.encode("utf-16-le").decode("latin-1")):
                assert form.encode("latin-1") not in held


def test_a_link_from_the_host_signs_in_once_and_no_log_has_it(platform: Platform, browsers: Any) -> None:
    """S-14, S-26."""
    stranger = browsers()
    assert stranger.request_code("root@example.com").status_code == 202
    token = json.loads(_admin(platform, "bootstrap", "--email", "root@example.com", "--json"))["url"].partition("#link=")[2]
    first, second = browsers(), browsers()
    assert first.ask("POST", "/api/auth/link", {"token": token}).status_code == 200
    assert first.status() == 200
    assert second.ask("POST", "/api/auth/link", {"token": token}).status_code == 401
    held = _everywhere(platform)
    assert token.encode() not in held
    assert first.cookies["__Host-zcp_session"].encode() not in held


def test_a_new_signing_key_is_taken_while_running(platform: Platform, browsers: Any) -> None:
    """S-23."""
    _person(platform, "eve@example.com")
    addresses = itertools.count(1)

    def kid(browser: Browser) -> str:
        return str(jwt.get_unverified_header(browser.cookies["__Host-zcp_session"])["kid"])

    def signed_in() -> Browser:
        browser: Browser = browsers(f"127.0.210.{next(addresses)}")  # or the waiting below meets the limit of links a minute
        token = _admin(platform, "login-link", "eve@example.com").partition("#link=")[2]
        assert browser.ask("POST", "/api/auth/link", {"token": token}).status_code == 200
        return browser

    before, web = signed_in(), platform.web_pid()
    number = json.loads(_admin(platform, "rotate-signing-key", "--json"))["number"]
    wait_until(lambda: kid(signed_in()) == str(number), 20, "the new key signs")
    assert (before.status(), platform.web_pid()) == (200, web)
    _admin(platform, "rotate-signing-key", "--now")
    wait_until(lambda: before.status() == 401, 20, "the old keys are refused")
    assert signed_in().status() == 200


def test_known_and_unknown_addresses_take_the_same_time(platform: Platform, browsers: Any) -> None:
    """S-10: in turn, each from a network of its own so that nobody is throttled. Here mail is really sent beside it; tests/attacks/test_times.py is finer."""
    for number in range(60):
        _person(platform, f"known{number}@example.com")
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    for number in range(60):
        for kind in sorted(times, reverse=bool(number % 2)):
            browser = browsers(f"127.0.{number + 1}.{1 if kind == 'known' else 2}")
            browser.ask("GET", "/api/auth/methods")
            started = time.perf_counter()
            answer = browser.request_code(f"{kind}{number}@example.com")
            times[kind].append(time.perf_counter() - started)
            assert answer.status_code == 202
    assert not timing.differ(times["known"], times["unknown"]), f"{timing.distance(times['known'], times['unknown']):.2f}"


def test_forged_addresses_and_restarts_do_not_help_who_tries(platform: Platform, browsers: Any) -> None:
    """S-06, S-68: the edge names the caller's address, and the counts survive a crash."""
    thief = browsers("127.0.200.1")

    def ask(number: int) -> int:
        forged = f"203.0.113.{number}"
        headers = {"X-Forwarded-For": forged, "X-Real-IP": forged, "Forwarded": f"for={forged}", "X-Client-IP": forged}
        return int(thief.ask("POST", "/api/auth/otp/request", {"email": "nobody@example.com"}, **headers).status_code)

    assert [ask(number) for number in range(32)] == [202] * 30 + [429] * 2
    platform.kill_serve()
    platform.start_serve()
    assert ask(33) == 429
    assert browsers("127.0.200.2").request_code("nobody@example.com").status_code == 202
