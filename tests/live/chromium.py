"""A real browser without a window, driven over its own DevTools protocol. Pages of attackers are given to it as if their servers had sent them;
their requests to the platform are sent over the network to the platform."""

import json
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.live.waiting import wait_until

ANSWER_S = 20.0
SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--ignore-certificate-errors", "--remote-debugging-port=0",
    "--disable-features=LocalNetworkAccessChecks,PrivateNetworkAccessRespectPreflightResults",
)  # fmt: skip
Json = dict[str, Any]


class Page:
    """One tab. `events` are those it sent since it was opened; `given` are the pages that no server sends, by address."""

    def __init__(self, wire: ClientConnection, session: str, given: dict[str, str]) -> None:
        self._wire, self._session, self._number = wire, session, 0
        self.given = given
        self.events: list[Json] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Fetch.enable", patterns=[{"urlPattern": f"{address}*"} for address in given])

    def call(self, method: str, **parameters: object) -> Json:
        """Raises AssertionError with the browser's words."""
        number = self._send(method, parameters)
        end = time.monotonic() + ANSWER_S
        while True:
            told = self._next(end)
            if told.get("id") == number:
                assert "error" not in told, (method, told["error"])
                return dict(told["result"])

    def go(self, address: str) -> Json:
        """Open this address; gives what became of it. A download or a frame that is refused is no page."""
        before = len(self.events)
        told = self.call("Page.navigate", url=address)
        if "errorText" not in told and "loaderId" in told:
            self._until(lambda: any(event["method"] == "Page.loadEventFired" for event in self.events[before:]))
        return told

    def run(self, script: str) -> Any:
        """The value of an expression, which may wait, in the page that is open."""
        told = self.call("Runtime.evaluate", expression=f"(async () => {{ {script} }})()", awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, (told, self.heard("Network.loadingFailed")[-1:])
        return told["result"].get("value")

    def heard(self, method: str) -> list[Json]:
        return [event["params"] for event in self.events if event["method"] == method]

    def _until(self, holds: Any) -> None:
        end = time.monotonic() + ANSWER_S
        while not holds():
            self._next(end)

    def _send(self, method: str, parameters: Json) -> int:
        self._number += 1
        self._wire.send(json.dumps({"id": self._number, "sessionId": self._session, "method": method, "params": parameters}))
        return self._number

    def _next(self, end: float) -> Json:
        told: Json = json.loads(self._wire.recv(timeout=max(end - time.monotonic(), 0.01)))
        if "method" in told:
            self.events.append(told)
            if told["method"] == "Fetch.requestPaused":
                self._give(told["params"])
            elif told["method"] == "Page.javascriptDialogOpening":
                self._send("Page.handleJavaScriptDialog", {"accept": False})
        return told

    def _give(self, paused: Json) -> None:
        body = self.given.get(paused["request"]["url"].partition("#")[0])
        headers = [{"name": "Content-Type", "value": "text/html; charset=utf-8"}]
        answer = {
            "responseCode": 200 if body is not None else 404,
            "responseHeaders": headers,
            "body": b64encode((body or "").encode()).decode(),
        }
        self._send("Fetch.fulfillRequest", {"requestId": paused["requestId"], **answer})


@contextmanager
def browser(profile: Path, domain: str, given: dict[str, str]) -> Iterator[Page]:
    """A new profile, in which all names below `domain` lead to this machine. It is written out and closed at the end."""
    program = which("chromium")
    assert program is not None, "chromium is needed: apt-get install chromium"
    command = [program, *SWITCHES, f"--user-data-dir={profile}", f"--host-resolver-rules=MAP *.{domain} 127.0.0.1, MAP * ~NOTFOUND"]
    with (profile.parent / "chromium.log").open("wb") as log:
        process = subprocess.Popen([*command, "about:blank"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        told = profile / "DevToolsActivePort"
        wait_until(lambda: told.exists() and len(told.read_text().split()) == 2, 30, "chromium listens")
        port, path = told.read_text().split()
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, compression=None) as wire:
            target = _ask(wire, "Target.createTarget", url="about:blank")["targetId"]
            session = _ask(wire, "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            yield Page(wire, session, given)
            wire.send(json.dumps({"id": 0, "method": "Browser.close"}))
        process.wait(20)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _ask(wire: ClientConnection, method: str, **parameters: object) -> Json:
    wire.send(json.dumps({"id": 1, "method": method, "params": parameters}))
    while (told := json.loads(wire.recv(timeout=ANSWER_S))).get("id") != 1:
        continue
    return dict(told["result"])
