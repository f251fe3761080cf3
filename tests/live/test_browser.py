"""What pages can do with a real browser in which somebody is signed in: a tenant's own page, on a neighbouring name, and a stranger's.

The panel's page is a blank one of the test's, on the panel's origin; all requests are sent through Caddy to the platform.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live import canaries
from tests.live.chromium import Page, browser
from tests.live.edge_rig import free_port
from tests.live.engine import Engine
from tests.live.installation import AT
from tests.live.platform import Platform
from tests.live.waiting import wait_until
from zcplatform.core.roles import Role
from zcplatform.store import members, tenants, users
from zcplatform.store.db import Tx, require

pytestmark = pytest.mark.live
DOMAIN = "zcp.example"
OPERATOR = "root@example.com"
SESSION = "__Host-zcp_session"
PAYLOADS = ['<script>window.hit=1;alert(1)</script>', '<img src=x onerror="window.hit=1;alert(1)">', '"><svg onload=window.hit=1;alert(1)>', "{{constructor.constructor('alert(1)')()}}",
    "javascript:alert(1)", "</title><script>window.hit=1</script>"]  # fmt: skip


@dataclass
class Signed:
    """A browser in which the operator is signed in, as after following a login link."""

    platform: Platform
    page: Page
    panel: str
    evil: str
    stranger: str
    profile: Path

    def app(self) -> None:
        self.page.go(f"{self.panel}/app")

    def status(self, path: str = "/api/me/sessions") -> int:
        """As the panel's own page gets it."""
        self.app()
        return int(self.page.run(f"return (await fetch('{path}')).status"))


@pytest.fixture(scope="module")
def platform(engine: Engine) -> Iterator[Platform]:
    made = Platform(engine, "browser", domain=DOMAIN, tls="internal", https_port=free_port())
    try:
        made.start()
        made.make_image()
        made.create("victim", name=PAYLOADS[0])
        made.do("victim", "deploy")
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def signed(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signed]:
    """One for all tests here, as it costs seconds to start; the last of them signs out."""
    panel, port = platform.settings.panel_url, platform.settings.https_port
    evil, stranger = f"https://evil.{DOMAIN}:{port}", f"https://www.other.example:{port}"
    profile = tmp_path_factory.mktemp("browser") / "profile"
    given = {f"{panel}/app": "<!doctype html><title>panel</title>", f"{evil}/": "<!doctype html><title>evil</title><body></body>"}
    given[f"{stranger}/"] = given[f"{evil}/"]
    with browser(profile, DOMAIN, given) as page:
        made = Signed(platform, page, panel, evil, stranger, profile)
        made.app()
        seen = page.run(f"return (await fetch('/api/auth/link', {_json('POST', {'token': _link(platform)})})).status")
        assert seen == 200
        assert made.status() == 200
        _owns(platform, "victim")
        yield made


def _json(method: str, body: object) -> str:
    return json.dumps({"method": method, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)})


def _link(platform: Platform) -> str:
    command = [sys.executable, "-I", "-m", "zcplatform", "--settings", str(platform.settings_path), "admin"]
    known = [*command, "login-link", OPERATOR]
    done = subprocess.run(known, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        done = subprocess.run([*command, "bootstrap", "--email", OPERATOR], capture_output=True, text=True, check=True)
    return done.stdout.partition("#link=")[2].split()[0]


def _owns(platform: Platform, slug: str) -> None:
    """The signed-in user is an owner here: a super-admin alone would have to give a reason, and attacks would fail for want of one."""
    with platform.database() as database:

        def write(tx: Tx) -> None:
            tenant, user = tenants.find(tx, slug), users.by_email(tx, OPERATOR)
            members.put(tx, members.Member(require(tenant).id, require(user).id, Role.OWNER, AT))

        database.write_now(write)


def _changes(platform: Platform) -> list[object]:
    """What people were let change so far."""
    with platform.database() as database:
        return database.read(
            lambda tx: tx.execute("SELECT sequence, action FROM audit_log WHERE actor LIKE 'usr%' AND outcome = 'done'").fetchall()
        )


ATTACKS = """
const at = '%s/api/tenants/victim/stop', seen = [];
const note = (name, promise) => promise.then(got => seen.push([name, got.type || String(got)]), () => seen.push([name, 'refused']));
for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
  const frame = document.body.appendChild(Object.assign(document.createElement('iframe'), {name: 'into' + seen.length}));
  const form = document.body.appendChild(Object.assign(document.createElement('form'), {action: at, method: 'POST', enctype: type, target: frame.name}));
  form.appendChild(Object.assign(document.createElement('input'), {name: '{"a":"', value: '"}'}));
  await new Promise(done => { frame.onload = done; form.submit(); });
  seen.push(['form ' + type, 'sent']);
}
const all = {method: 'POST', credentials: 'include'};
await note('no-cors', fetch(at, {...all, mode: 'no-cors', body: '{}'}));
await note('no-cors blob', fetch(at, {...all, mode: 'no-cors', body: new Blob(['{}'], {type: 'text/plain'})}));
await note('json', fetch(at, {...all, headers: {'Content-Type': 'application/json'}, body: '{}'}));
await note('delete', fetch('%s/api/tenants/victim', {method: 'DELETE', credentials: 'include'}));
await note('put', fetch('%s/api/tenants/victim', {method: 'PATCH', credentials: 'include', headers: {'X-HTTP-Method-Override': 'PATCH'}, body: '{}'}));
await note('keepalive', fetch(at, {...all, mode: 'no-cors', keepalive: true, body: '{}'}));
seen.push(['beacon', String(navigator.sendBeacon(at, '{}'))]);
await note('logout', fetch('%s/api/auth/logout', {...all, mode: 'no-cors'}));
await note('another account', fetch('%s/api/auth/link', {...all, mode: 'no-cors', body: '{"token":"x"}'}));
return seen;
"""


@pytest.mark.parametrize("whose", ["evil", "stranger"])
def test_another_page_changes_nothing(signed: Signed, whose: str) -> None:
    """S-39. The neighbour's requests do carry the session: only the platform keeps them from acting."""
    before = _changes(signed.platform)
    signed.page.go(f"{getattr(signed, whose)}/")
    sent_before = len(signed.page.events)
    seen = dict(signed.page.run(ATTACKS % ((signed.panel,) * 5)))
    assert len(seen) == 12
    assert {seen[name] for name in ("json", "delete", "put")} == {"refused"}
    sent = [event["params"] for event in signed.page.events[sent_before:] if event["method"] == "Network.requestWillBeSentExtraInfo"]
    with_session = [one for one in sent if SESSION in str({key.lower(): value for key, value in one["headers"].items()}.get("cookie"))]
    assert bool(with_session) is (whose == "evil"), "a neighbour is the same site, a stranger is not"
    assert len(with_session) >= 5 or whose == "stranger"
    assert _changes(signed.platform) == before
    assert signed.platform.tenant("victim")["state"] == "running"
    assert signed.status() == 200


@pytest.mark.parametrize("whose", ["evil", "stranger"])
def test_another_page_reads_nothing(signed: Signed, whose: str) -> None:
    """S-40: neither by asking, nor as a script, picture, style or frame, nor through a window it opened. S-38: nor by a socket."""
    signed.page.go(f"{getattr(signed, whose)}/")
    seen = signed.page.run(
        f"""
        const at = '{signed.panel}/api/tenants', seen = {{}};
        for (const mode of ['cors', 'no-cors'])
          seen[mode] = await fetch(at, {{credentials: 'include', mode}}).then(got => got.text(), () => 'refused');
        seen.stream = await new Promise(done => {{
          const source = new EventSource('{signed.panel}/api/events', {{withCredentials: true}});
          source.onopen = () => done('open'); source.onerror = () => done('refused');
        }});
        for (const [name, attribute] of [['script', 'src'], ['img', 'src'], ['link', 'href']])
          seen[name] = await new Promise(done => {{
            const made = Object.assign(document.createElement(name), {{rel: 'stylesheet', onload: () => done('loaded'), onerror: () => done('refused')}});
            made[attribute] = at; document.body.appendChild(made);
          }});
        for (const address of ['{signed.panel}/api/events', '{signed.panel.replace("panel", "victim")}/ws/chat?agent=main'])
          seen[address.slice(-11)] = await new Promise(done => {{
            const socket = new WebSocket(address.replace('https', 'wss'));
            socket.onopen = () => done('open'); socket.onerror = () => done('refused');
          }});
        return seen;
        """
    )
    assert set(seen.values()) == {"refused"}, seen


def test_the_panel_is_in_no_frame(signed: Signed) -> None:
    """S-41: neither what is there nor what is not; a page that does not forbid it is framed."""
    signed.page.go(f"{signed.evil}/")
    addresses = [f"{signed.panel}/api/tenants", f"{signed.panel}/nothing", f"{signed.evil}/"]
    signed.page.run(
        f"""for (const src of {json.dumps(addresses)}) await new Promise(done => document.body.appendChild(
            Object.assign(document.createElement('iframe'), {{src, onload: done}})));"""
    )
    frames = [frame["frame"] for frame in signed.page.call("Page.getFrameTree")["frameTree"].get("childFrames", ())]
    shown = [frame["url"] for frame in frames if not frame.get("unreachableUrl") and not frame["url"].startswith("chrome-error")]
    assert shown == [f"{signed.evil}/"]


def test_tossed_cookies_have_no_effect(signed: Signed) -> None:
    """S-42: a neighbour may write cookies for the whole domain, not in our names."""
    signed.page.go(f"{signed.evil}/")
    names = (SESSION, "__Host-zcp_browser", "__Host-zcp_challenge", "zcp_session", "__Host-ZCP_session", "__host-zcp_session")
    kept = signed.page.run(
        f"""for (const name of {json.dumps(names)}) for (const where of ['', '; Domain={DOMAIN}', '; Domain=.{DOMAIN}', '; Domain=panel.{DOMAIN}'])
            for (const path of ['/', '/api', '/api/me/sessions']) document.cookie = `${{name}}=evil; Path=${{path}}; Secure${{where}}`;
            document.cookie = '={SESSION}=evil; Path=/api; Secure; Domain={DOMAIN}'; return document.cookie;"""
    )
    assert "zcp_session=evil" in kept
    sent = signed.page.call("Network.getCookies", urls=[f"{signed.panel}/api/me/sessions"])["cookies"]
    assert [one["name"] for one in sent if one["value"] == "evil"], "some of them do reach the panel"
    assert [one["value"] for one in sent if one["name"] == SESSION] != ["evil"]
    assert signed.status() == 200
    signed.page.go(f"{signed.evil}/")
    assert signed.status("/api/tenants/victim") == 200
    for one in signed.page.call("Network.getAllCookies")["cookies"]:
        if one["value"] == "evil":
            signed.page.call("Network.deleteCookies", **{key: one[key] for key in ("name", "domain", "path")})


def test_what_people_write_is_never_run(signed: Signed) -> None:
    """S-43: opened as pages of their own, with the session: the API's answers and errors, and what the edge itself says."""
    for number, payload in enumerate(PAYLOADS):
        signed.platform.create(f"text-{number}", name=payload)
    signed.platform.do("victim", "stop")
    port = signed.platform.settings.https_port
    asked = ["/api/tenants", "/api/audit?limit=200", "/api/tenants/victim", "/api/tenants/victim/operations"]
    addresses = [signed.panel + path for path in asked]
    for payload in PAYLOADS[:3]:
        addresses += [
            f"{signed.panel}/api/tenants/{payload}",
            f"{signed.panel}/{payload}?{payload}",
            f"https://victim.{DOMAIN}:{port}/{payload}?{payload}",
        ]
    texts = []
    for address in addresses:
        signed.page.go(address)
        kind, text, hit = signed.page.run("return [document.contentType, document.documentElement.innerText, String(window.hit)]")
        assert hit == "undefined", address
        assert kind in ("application/json", "application/problem+json", "text/plain", "text/html"), address
        texts.append(text)
    assert json.loads(texts[0])["items"][0]["name"] in PAYLOADS, "shown as it was written"
    assert signed.page.heard("Page.javascriptDialogOpening") == []
    signed.platform.do("victim", "start")


def test_an_agents_log_is_no_page(signed: Signed) -> None:
    """S-44: it is a download, whatever the agent prints."""
    seen = signed.page.go(f"{signed.panel}/api/tenants/victim/logs?tail=5")
    assert seen.get("isDownload") or seen.get("errorText") == "net::ERR_ABORTED", seen
    (answer,) = [
        event["response"] for event in signed.page.heard("Network.responseReceived") if event["response"]["url"].endswith("/logs?tail=5")
    ]
    assert answer["headers"]["content-disposition"] == 'attachment; filename="victim.log"'
    assert answer["mimeType"] == "text/plain"


def test_after_the_logout_nothing_is_left_in_the_browser(signed: Signed, platform: Platform) -> None:
    """S-99, S-26: not behind the back button, not in cache, storage or history; and the session and its link are in no log of ours."""
    marked = canaries.canary().replace("/", "-")
    platform.create("marked", name=marked)
    signed.page.go(f"{signed.panel}/api/tenants/marked")
    assert marked in signed.page.run("return document.body.innerText")
    (session,) = [
        one["value"] for one in signed.page.call("Network.getCookies", urls=[f"{signed.panel}/app"])["cookies"] if one["name"] == SESSION
    ]
    link = _link(platform)
    signed.page.given[f"{signed.panel}/login"] = "<title>login</title>"
    signed.page.go(f"{signed.panel}/login#link={link}")
    requested = [
        event["request"]["url"] + json.dumps(event["request"]["headers"]) for event in signed.page.heard("Network.requestWillBeSent")
    ]
    assert requested
    assert [one for one in requested if session in one or link in one] == []
    signed.app()
    assert signed.page.run("return (await fetch('/api/auth/logout', {method: 'POST'})).status") == 204
    history = signed.page.call("Page.getNavigationHistory")["entries"]
    (entry,) = [one["id"] for one in history if one["url"].endswith("/api/tenants/marked")]
    signed.page.call("Page.navigateToHistoryEntry", entryId=entry)
    wait_until(
        lambda: '"status":401' in str(signed.page.run("return document.body && document.body.innerText")),
        10,
        "the page was requested again",
    )
    assert marked not in signed.page.run("return document.documentElement.outerHTML")
    assert (
        signed.page.run("return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, (await caches.keys())])")
        == '[{},{},"",[]]'
    )
    signed.page.call("Page.close")
    assert canaries.found_in_trees([signed.profile], {"name": marked, "session": session}) == set()
    ours = "".join((platform.root / f"{name}.log").read_text(errors="replace") for name in ("serve", "edge"))
    assert session not in ours
    assert link not in ours
