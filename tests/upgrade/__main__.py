"""Takes over an installation of an older release with tenants that run, and checks that nobody notices. Started by scripts/upgrade-test.

usage: python -m tests.upgrade OLD-PYTHON     the interpreter of an environment that has the older platform
"""

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.live import invariants
from tests.live.browsers import Browser
from tests.live.engine import Engine
from tests.live.platform import Platform
from tests.live.waiting import wait_until

OPERATOR = "root@example.com"
RUNNING = ("serves", "edited")
OLD_NAMES = {"reconcile_period_s": "converge_period_s"}
"""Settings that had another name; the older release does not know the new one."""


@dataclass(frozen=True)
class Before:
    """What the older release left, and what must be the same afterwards."""

    containers: dict[str, str]
    devices: dict[str, str]
    browser: Browser
    audit: list[tuple[Any, ...]]
    interrupted: dict[str, Any]


class Checks:
    """Counts and prints what holds."""

    def __init__(self) -> None:
        self.failed = 0

    def __call__(self, sentence: str, holds: Callable[[], object]) -> None:
        try:
            wrong = None if holds() else "it does not hold"
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        self.failed += wrong is not None
        print(f"{'ok    ' if wrong is None else 'FAILED'} {sentence}{'' if wrong is None else f': {wrong}'}", flush=True)


@contextlib.contextmanager
def installation(old_python: str) -> Iterator[Platform]:
    engine = Engine("--live-restore", "--userland-proxy=false")
    try:
        engine.start()
        platform = Platform(engine, "upgrade")
        platform.python = old_python
        try:
            yield platform
        finally:
            platform.close()
    finally:
        engine.close()


def admin(platform: Platform, *arguments: str) -> str:
    """A verb of the host, of the release that runs now."""
    command = [platform.python, "-I", "-m", "zcplatform", "--settings", str(platform.settings_path), "admin", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def fill(platform: Platform) -> Before:
    """With the older release: tenants that run, one edited, one stopped, one suspended, one deleted, one whose deploy is cut off."""
    platform.rename_settings(OLD_NAMES)
    platform.start_serve()
    platform.start_edge()
    platform.start_model()
    link = json.loads(admin(platform, "bootstrap", "--email", OPERATOR, "--json"))["url"].partition("#link=")[2]
    platform.token = admin(platform, "token", "create", "--name", "upgrade", "--days", "7")
    platform.make_image()
    for slug in (*RUNNING, "stopped", "suspended", "deleted"):
        platform.create(slug)
        platform.do(slug, "deploy")
    platform.finish(platform.api("PATCH", "/api/tenants/edited", {"provider": {**platform.provider(), "model": "echo-2"}}).body)
    platform.do("stopped", "stop")
    platform.finish(platform.api("POST", "/api/tenants/suspended/suspend", {"reason": "unpaid"}).body)
    platform.do("deleted", "delete")
    browser = Browser(platform)
    wait_until(lambda: browser.ask("GET", "/api/auth/methods").status_code == 200, 20, "the edge knows the panel")
    assert browser.ask("POST", "/api/auth/link", {"token": link}).status_code == 200
    devices = {slug: platform.pair(slug) for slug in RUNNING}
    platform.create("interrupted")
    platform.failpoint.write_text("deploy.start.before")
    interrupted = platform.ask("interrupted", "deploy")
    assert platform.serve is not None
    assert platform.serve.wait(40) == -signal.SIGKILL
    platform.stop_edge()
    return Before({slug: container(platform, slug) for slug in RUNNING}, devices, browser, audit(platform), interrupted)


def container(platform: Platform, slug: str) -> str:
    """Which container it is and when it was started."""
    return platform.docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}} {{.State.Pid}}", platform.names.container(slug))


def audit(platform: Platform) -> list[tuple[Any, ...]]:
    """The rows as they are in the file, without the code that reads them."""
    with contextlib.closing(sqlite3.connect(f"file:{platform.settings.database}?mode=ro", uri=True)) as database:
        return list(database.execute("SELECT * FROM audit_log ORDER BY rowid"))


def take_over(platform: Platform) -> None:
    """With the current code: the settings file stays as it is."""
    platform.python = sys.executable
    platform.start_serve()
    platform.start_edge()


def check_rest(check: Checks, platform: Platform, before: Before) -> None:
    """What must be as before, once all was looked at and other work was done."""
    check("the deploy that was cut off is finished", lambda: platform.end(before.interrupted)["status"] == "succeeded")
    platform.create("fresh")
    check("a new tenant is deployed", lambda: platform.do("fresh", "deploy"))
    check("an agent that ran answers through Caddy", lambda: "hello" in platform.talk("serves", before.devices["serves"]))
    for slug in RUNNING:
        check_running(check, platform, before, slug)
    check("the stopped tenant is stopped", lambda: platform.tenant("stopped")["state"] == "stopped")
    check("the suspended tenant is suspended", lambda: platform.tenant("suspended")["state"] == "suspended")
    check("why it is suspended is kept", lambda: "unpaid" in platform.tenant("suspended")["reason"])
    check("the API token is valid", lambda: platform.api("GET", "/api/tenants").status == 200)
    check("the session is valid", lambda: before.browser.status() == 200)
    check("the slug of a deleted tenant stays quarantined", lambda: platform.api("POST", "/api/tenants", {"slug": "deleted"}).status == 409)
    check("no row of the audit log was rewritten", lambda: audit(platform)[: len(before.audit)] == before.audit)
    check("the audit chain verifies", lambda: admin(platform, "audit", "verify"))


def check_running(check: Checks, platform: Platform, before: Before, slug: str) -> None:
    check(f"`{slug}` runs in the same container, which was not restarted", lambda: container(platform, slug) == before.containers[slug])
    check(f"`{slug}` is running", lambda: platform.wait_state(slug, "running"))
    check(f"the paired device of `{slug}` stays paired", lambda: platform.talk(slug, before.devices[slug], "still"))


def is_stored(platform: Platform, slug: str) -> bool:
    """The agent gets the key of its provider. The model of these tests answers without one too, so an answer does not show it."""
    secrets = platform.api("GET", f"/api/tenants/{slug}/secrets").body["items"]
    return [(each["name"], each["is_stored"]) for each in secrets] == [("providers.main.api_key", True)]


def check_work(check: Checks, platform: Platform, before: Before) -> None:
    """What people do next works with what the older release stored: secrets, revisions, holds."""
    check("the stored key is one for the server that the settings name", lambda: is_stored(platform, "serves"))
    check("a key that was never used yet is one too", lambda: is_stored(platform, "interrupted"))
    check("a restart keeps the device", lambda: platform.do("serves", "restart"))
    check("the restarted agent answers", lambda: "again" in platform.talk("serves", before.devices["serves"], "again"))
    check("the stopped tenant starts", lambda: platform.do("stopped", "start"))
    check("the suspended tenant is resumed", lambda: platform.finish(platform.api("POST", "/api/tenants/suspended/resume").body))
    check("both revisions are kept", lambda: len(platform.api("GET", "/api/tenants/edited/revisions").body["items"]) == 2)
    check("the settings can be edited", lambda: platform.finish(platform.api("PATCH", "/api/tenants/edited", {"plan": "pro"}).body))
    for slug in (*RUNNING, "stopped", "suspended", "interrupted", "fresh"):
        check(f"`{slug}` can be deleted", partial(platform.do, slug, "delete"))
    check("the invariants hold", lambda: invariants.check(platform) is None)
    check("the audit chain still verifies", lambda: admin(platform, "audit", "verify"))


def main(old_python: str) -> int:
    check = Checks()
    with installation(old_python) as platform:
        before = fill(platform)
        print(f"the older release left {len(before.audit)} audit entries and {len(before.containers)} running agents", flush=True)
        take_over(platform)
        check_rest(check, platform, before)
        check_work(check, platform, before)
        if check.failed:
            print(f"the end of the log of serve:\n{platform.log()}", file=sys.stderr)
    print(f"{check.failed} failed" if check.failed else "the upgrade holds")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main(str(Path(sys.argv[1]).absolute())))
