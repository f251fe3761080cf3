"""Answers that go on: how many are open at once, for whom, and that every one that ends gives its place back."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from tests.web.conftest import Web
from zcplatform.settings import Settings
from zcplatform.web.streams import MOST_LOGS, StreamKind, Streams


@asynccontextmanager
async def opened(web: Web, path: str, headers: dict[str, str], query: str = "") -> AsyncIterator[tuple[int, dict[str, Any]]]:
    """An answer that has begun: status, and the problem if it is one. The caller disconnects at the end."""
    gone, begun, whole = asyncio.Event(), asyncio.Event(), asyncio.Event()
    started: list[int] = []
    body = b""
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal body
        if message["type"] == "http.response.start":
            started.append(message["status"])
            begun.set()
        else:
            body += message.get("body", b"")
            if not message.get("more_body"):
                whole.set()

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query.encode(), "headers": raw,
        "scheme": "http", "server": ("panel.localhost", 80), "client": None, "root_path": "",
    }  # fmt: skip
    task = asyncio.ensure_future(web.client._transport.app(scope, receive, send))  # type: ignore[attr-defined]
    try:
        async with asyncio.timeout(5):
            await begun.wait()
            if started[0] >= 400:
                await whole.wait()
        yield started[0], json.loads(body) if started[0] >= 400 else {}
    finally:
        gone.set()
        async with asyncio.timeout(5):
            await task


def _limits(web: Web, **limits: int) -> None:
    app = web.client._transport.app  # type: ignore[attr-defined]
    app.state.streams = Streams(web.settings.model_copy(update=limits))


async def test_an_account_has_so_many_streams_over_all_its_tokens(web: Web) -> None:
    """S-71. One that is refused says what to do; one that ends makes room; others are not touched."""
    _limits(web, streams_account=3)
    ann, ben = web.user("ann@example.com"), web.user("ben@example.com")
    async with AsyncExitStack() as held:
        last = AsyncExitStack()
        for number in range(3):
            headers = {"Authorization": f"Bearer {web.token_of(ann)}"}
            assert (await (last if number == 2 else held).enter_async_context(opened(web, "/api/events", headers)))[0] == 200
        async with opened(web, "/api/events", headers) as (status, told):
            assert (status, told["code"]) == (429, "stream.too_many")
            assert "3 streams" in told["detail"]
            assert "close one" in told["hint"]
        async with opened(web, "/api/events", {"Authorization": f"Bearer {web.token_of(ben)}"}) as (status, _):
            assert status == 200
        await last.aclose()
        async with opened(web, "/api/events", headers) as (status, _):
            assert status == 200


async def test_a_tenant_and_the_platform_have_so_many_streams(web: Web) -> None:
    """S-71: members together; one tenant's streams leave room for another's until the platform's own limit."""
    _limits(web, streams_tenant=2, streams_all=4)
    for slug in ("shop", "other"):
        assert (await web.client.post("/api/tenants", json={"slug": slug})).status_code == 201
    members = [web.member(slug, f"{slug}{number}@example.com", "viewer") for slug in ("shop", "other") for number in range(3)]
    async with AsyncExitStack() as held:
        for number, (headers, slug, expected) in enumerate(
            [(members[0], "shop", 200), (members[1], "shop", 200), (members[2], "shop", 429), (members[3], "other", 200),
             (members[4], "", 200), (members[5], "", 429)]
        ):  # fmt: skip
            query = f"tenant={slug}" if slug else ""
            status, told = await held.enter_async_context(opened(web, "/api/events", headers, query))
            assert status == expected, (number, told)
            assert told.get("code", "stream.too_many") == "stream.too_many"


async def test_what_fails_or_ends_by_itself_holds_no_place(web: Web) -> None:
    _limits(web, streams_account=1, streams_tenant=1, streams_all=1)
    assert (await web.client.post("/api/tenants", json={"slug": "shop"})).status_code == 201
    for _ in range(3):
        assert (await web.client.get("/api/tenants/shop/logs?follow=true")).json()["code"] == "worker.unreachable"
        assert (await web.client.get("/api/tenants/shop/audit?format=ndjson")).status_code == 200
        assert (await web.client.get("/api/audit?format=csv")).status_code == 200
    async with opened(web, "/api/events", dict(web.client.headers)):
        for path in ("/api/tenants/shop/logs", "/api/tenants/shop/audit?format=ndjson", "/api/audit?format=csv"):
            assert (await web.client.get(path)).json()["code"] == "stream.too_many"


def test_logs_leave_the_worker_room() -> None:
    streams = Streams(Settings())
    held = [streams.one(StreamKind.LOGS, f"usr_{number}", None) for number in range(MOST_LOGS)]
    for one in held:
        one.__enter__()
    with pytest.raises(Exception, match="logs are already open"), streams.one(StreamKind.LOGS, "usr_x", None):
        pass
    with streams.one(StreamKind.EVENTS, "usr_x", None):
        pass
