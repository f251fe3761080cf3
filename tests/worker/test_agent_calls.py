"""What the worker asks of an agent for people, against agents that answer, forget, refuse and hold on."""

import json
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import pytest

from tests.fakes.agents import Agent, RoutedAgent, answer
from tests.worker.agent_calls_rig import ACTOR, AT, BEARER, Make, Rig
from zcplatform.agent.sealed import token_hash
from zcplatform.errors import BadInput, Conflict, NotFound, PlatformError, Unavailable
from zcplatform.ids import new_tenant_id
from zcplatform.ops import tenants as asking
from zcplatform.ops.context import Call
from zcplatform.ops.providers import MainProvider
from zcplatform.store import tenants
from zcplatform.store.db import Database
from zcplatform.worker.agent_calls import AgentCalls
from zcplatform.worker.configuration.readback import forget_paired_devices, keep_saved, read_saved

OWN = {"id": "own-1", "name": None, "device_type": "legacy", "ip_address": None, "paired_at": "t", "last_seen": "t"}
PHONE = {"id": "pho-2", "name": "Phone", "device_type": "mobile", "ip_address": "192.0.2.1", "paired_at": "t", "last_seen": "t"}
REFUSES = Agent(answer(b'{"error":"Unauthorized"}', "401 X"))

Ask = Callable[[dict[str, Any]], AsyncGenerator[dict[str, Any]]]


def said(body: object) -> bytes:
    return answer(json.dumps(body).encode())


async def one(verb: Ask, rig: Rig, **arguments: object) -> dict[str, Any]:
    async with aclosing(verb({"tenant_id": rig.tenant.id, **arguments})) as answers:
        return await anext(answers)


async def failure(verb: Ask, rig: Rig, **arguments: object) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await one(verb, rig, **arguments)
    return caught.value


def talking(rig: Rig) -> AgentCalls:
    return AgentCalls(rig.deps, rig.woken.append)


async def test_a_code_a_message_and_channels_with_the_platform_s_own_token(database: Database, make: Make) -> None:
    agent = RoutedAgent(
        {
            "POST /api/pairing/initiate": said({"pairing_code": "Abc123"}),
            "POST /webhook": said({"response": "hello", "model": "echo"}),
            "GET /api/channels": said({"channels": [{"name": "irc.main", "type": "irc", "compiled": True, "enabled": True}]}),
            "GET /api/health": said({"health": {"components": {}}}),
        }
    )
    async with agent.running() as port:
        rig = make(port)
        assert (await one(talking(rig).pairing_code, rig))["code"] == "Abc123"
        assert await one(talking(rig).message, rig, text="hi") == {"text": "hello", "model": "echo"}
        assert (await one(talking(rig).channels, rig))["channels"][0]["name"] == "irc.main"
    assert all(f"authorization: bearer {BEARER}".encode() in asked.lower() for asked in agent.asked)
    assert rig.woken == []


async def test_a_channel_s_error_is_told_without_the_tenant_s_secrets(database: Database, make: Make) -> None:
    needs = {"requirements": [f"the token {quote(BEARER)} {b64encode(b'x:sk-canary-7f3a').decode()}"]}
    row = {"name": "irc.main", "type": "irc", "compiled": True, "enabled": True, "status": "sk-canary-7f3a", "readiness": needs}
    error = f"401 for token sk-canary-7f3a and {BEARER} " + "x" * 251 + "sk-canary-7f3a"
    routes = {
        "GET /api/channels": said({"channels": [row]}),
        "GET /api/health": said({"health": {"components": {"channel:irc.main": {"status": "error", "last_error": error}}}}),
    }
    async with RoutedAgent(routes).running() as port:
        rig = make(port, MainProvider("openai", "m", None, "sk-canary-7f3a"))
        rig.deps.database.write_now(lambda tx: rig.deps.secrets.open_boxes(tx, AT))
        channel = (await one(talking(rig).channels, rig))["channels"][0]
    assert channel["error"].startswith("401 for token [redacted] and [redacted] xxx")
    assert "sk-canary" not in str(channel)
    assert "anary-7f3a" not in str(channel)
    assert b64encode(b"x:sk-canary-7f3a").decode()[4:-4] not in str(channel)


async def test_an_answer_that_utf_8_cannot_hold_is_replaced_and_no_secret_is_in_it(database: Database, make: Make) -> None:
    async with RoutedAgent({"POST /webhook": said({"response": f"a\ud800b {BEARER}", "model": "\udfff"})}).running() as port:
        rig = make(port)
        answer = await one(talking(rig).message, rig, text="hi")
    assert answer == {"text": "a?b [redacted]", "model": "?"}


@pytest.mark.parametrize("verb", ["pairing_code", "message", "channels", "devices", "revoke"])
async def test_a_token_that_somebody_revoked_is_told_and_mended_once(database: Database, make: Make, verb: str) -> None:
    async with REFUSES.running() as port:
        rig = make(port)
        ask = getattr(talking(rig), verb)
        first = await failure(ask, rig, text="hi", device_id="x")
        again = await failure(ask, rig, text="hi", device_id="x")
    assert (first.code, again.code) == ("agent.rejected_token", "agent.not_ready")
    assert isinstance(first, Unavailable)
    assert first.retry_after_s
    assert (rig.row.seen_config, rig.row.seen_healthy, rig.row.state) == (None, 0, "restarting")
    assert rig.woken == [rig.tenant.id]
    assert rig.actions()[-1] == "system:worker agent.repair_token"
    assert rig.actions().count("system:worker agent.repair_token") == 1


async def test_devices_are_reset_against_an_agent_that_does_not_do_it(make: Make) -> None:
    """A3: its file is rendered without them, and a restart ends what they may do."""
    async with REFUSES.running() as port:
        rig = make(port)
        assert await one(talking(rig).reset, rig) == {"restarts": True}
    assert (rig.row.seen_config, rig.row.seen_healthy) == (None, 0)
    assert rig.actions().count("system:worker agent.repair_token") == 1


async def test_nobody_is_asked_while_the_agent_is_not_ready(database: Database, make: Make) -> None:
    async with REFUSES.running() as port:
        rig = make(port)
        row = rig.row
        database.write_now(lambda tx: tenants.record_seen(tx, row.id, row.generation, AT, {"seen_healthy": 0}))
        REFUSES.asked.clear()
        assert (await failure(talking(rig).message, rig, text="hi")).code == "agent.not_ready"
        assert REFUSES.asked == []


async def test_a_draft_or_stranger_is_refused(database: Database, make: Make) -> None:
    rig = make(20_000)
    talk = talking(rig)
    for tenant_id, kind in ((new_tenant_id(), NotFound), ("x", BadInput), (5, BadInput), (None, BadInput)):
        with pytest.raises(kind):
            async for _ in talk.message({"tenant_id": tenant_id, "text": "x"}):
                pass
    for text in ("", 5, None, "x" * 8_001):
        assert isinstance(await failure(talk.message, rig, text=text), BadInput)


async def test_devices_tell_which_is_the_platform(database: Database, make: Make) -> None:
    agent = RoutedAgent({"GET /api/devices": said({"devices": [OWN, PHONE]}), "DELETE /api/devices/pho-2": said({})})
    async with agent.running() as port:
        rig = make(port)
        rig.file(BEARER)
        talk = talking(rig)
        found = (await one(talk.devices, rig))["devices"]
        assert [(device["id"], device["is_platform"]) for device in found] == [("own-1", True), ("pho-2", False)]
        refused = await failure(talk.revoke, rig, device_id="own-1")
        assert (refused.code, refused.status) == ("device.platform", 409)
        assert (await failure(talk.revoke, rig, device_id="nosuch-3")).code == "device.unknown"
        await one(talk.revoke, rig, device_id="pho-2")
    assert [asked.split(b" ")[:2] for asked in agent.asked if asked.startswith(b"DELETE")] == [
        [b"DELETE", b"/api/devices/nosuch-3"],
        [b"DELETE", b"/api/devices/pho-2"],
    ]


async def test_of_two_that_nobody_paired_none_is_called_the_platform(database: Database, make: Make) -> None:
    async with RoutedAgent({"GET /api/devices": said({"devices": [OWN, {**OWN, "id": "own-2"}]})}).running() as port:
        rig = make(port)
        assert not any(device["is_platform"] for device in (await one(talking(rig).devices, rig))["devices"])


async def test_a_revoked_device_is_forgotten_before_anything_is_answered(database: Database, make: Make) -> None:
    """A host that restarts right after must not admit it again from what was kept earlier."""
    agent = RoutedAgent({"GET /api/devices": said({"devices": [OWN, PHONE]}), "DELETE /api/devices/pho-2": said({})})
    async with agent.running() as port:
        rig = make(port)
        rig.file(BEARER, "zc_phone")
        await keep_saved(rig.deps, rig.snapshot, await read_saved(rig.deps, rig.snapshot))
        assert rig.secret("paired") == [token_hash("zc_phone")]
        rig.file(BEARER)  # what the agent writes when it revokes
        await one(talking(rig).revoke, rig, device_id="pho-2")
    assert rig.secret("paired") == []


async def test_a_reset_that_the_agent_does_is_no_restart(database: Database, make: Make) -> None:
    agent = RoutedAgent({"GET /api/devices": said({"devices": [OWN, PHONE]}), "DELETE /api/devices/pho-2": said({})})
    async with agent.running() as port:
        rig = make(port)
        rig.file(BEARER)
        assert await one(talking(rig).reset, rig) == {"restarts": False}
    assert rig.woken == []
    assert sum(asked.startswith(b"DELETE") for asked in agent.asked) == 1


async def test_a_reset_that_the_agent_does_not_do_is_done_without_it(database: Database, make: Make) -> None:
    """It does not list a device, or keeps its token: it is started again with a file that admits nobody."""
    async with RoutedAgent({"GET /api/devices": said({"devices": [OWN]})}).running() as port:
        rig = make(port)
        rig.file(BEARER, "zc_phone")
        assert await one(talking(rig).reset, rig) == {"restarts": True}
        assert rig.woken == [rig.tenant.id]
        assert rig.secret("paired") == []
        await keep_saved(rig.deps, rig.snapshot, await read_saved(rig.deps, rig.snapshot))
        assert rig.secret("paired") == [], "the old file is looked at once more before the new one is written"


async def test_a_stopped_tenant_is_reset_too(database: Database, make: Make) -> None:
    rig = make(20_000)
    rig.file(BEARER, "zc_phone")
    await keep_saved(rig.deps, rig.snapshot, await read_saved(rig.deps, rig.snapshot))
    database.write_now(lambda tx: tenants.want(tx, rig.row, AT, wanted="stopped"))
    assert await one(talking(rig).reset, rig) == {"restarts": True}
    assert (rig.secret("paired"), rig.woken) == ([], [])
    assert await forget_paired_devices(rig.deps, rig.snapshot) is False


async def test_the_file_tells_when_our_token_is_gone(database: Database, make: Make) -> None:
    rig = make(20_000)
    assert await keep_saved(rig.deps, rig.snapshot, None)
    assert await keep_saved(rig.deps, rig.snapshot, b"not = [toml")
    rig.file(BEARER, "zc_phone")
    assert await keep_saved(rig.deps, rig.snapshot, await read_saved(rig.deps, rig.snapshot))
    rig.file("zc_phone", "zc_tablet")
    assert not await keep_saved(rig.deps, rig.snapshot, await read_saved(rig.deps, rig.snapshot))
    assert rig.secret("paired") == sorted((token_hash("zc_phone"), token_hash("zc_tablet"))), "the people stay paired"


async def test_messages_have_turns(database: Database, make: Make) -> None:
    """Two at a time for a tenant: the third gets a Retry-After, and delays nobody."""
    async with RoutedAgent({"POST /webhook": said({"response": "x", "model": "m"})}).running() as port:
        rig = make(port)
        talk = talking(rig)
        held = [talk._messages.taken(rig.tenant.id) for _ in range(2)]
        for turn in held:
            turn.__enter__()
        refused = await failure(talk.message, rig, text="hi")
        assert (refused.code, refused.status, refused.retry_after_s) == ("live.busy", 503, 5)
        for turn in held:
            turn.__exit__(None, None, None)
        assert (await one(talk.message, rig, text="hi"))["text"] == "x"


async def test_a_draft_has_no_agent_to_ask(database: Database, make: Make) -> None:
    rig = make(20_000)
    draft = database.write_now(lambda tx: asking.create(Call(tx, _context(rig), ACTOR, AT), "draft", asking.Changes()))
    from zcplatform.worker.live_requests import load_tenant

    with pytest.raises(Conflict):
        load_tenant(rig.deps, {"tenant_id": draft.id})
    assert load_tenant(rig.deps, {"tenant_id": draft.id}, with_drafts=True).tenant.id == draft.id


def _context(rig: Rig) -> Any:
    from zcplatform.ops.context import Context

    return Context(rig.deps.database, rig.deps.settings, rig.keys.seal_public, rig.keys.code_mac, lambda _: None)
