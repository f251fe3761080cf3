"""Ways in for services that call a channel: open to those who have such a channel, by its own path and by POST alone."""

import asyncio
import subprocess
from collections.abc import AsyncIterator

import pytest

from tests.live.edge_rig import Recorder, Rig
from zcplatform.core.edge import Listener

pytestmark = pytest.mark.live
ADDRESS = "10.83.255.250"
LISTENER = Listener("/channels/webhook/main", ADDRESS, 8090, "/webhook")


@pytest.fixture
async def channel(anyio_backend: str) -> AsyncIterator[Recorder]:
    """Replaces a container at one of our addresses. Requested before the rig, it ends after Caddy, which keeps connections open."""
    subprocess.run(["ip", "addr", "replace", f"{ADDRESS}/32", "dev", "lo"], check=True)
    recorder = Recorder()
    server = await asyncio.start_server(recorder.talk, ADDRESS, LISTENER.port)
    yield recorder
    server.close()
    subprocess.run(["ip", "addr", "delete", f"{ADDRESS}/32", "dev", "lo"], check=True)


async def test_only_a_post_to_the_channels_own_path_reaches_it(channel: Recorder, made: Rig) -> None:
    agent = Recorder()
    made.route("alpha", await made.agent(agent.talk), (LISTENER,))
    other, _ = await made.recorder("beta")
    await made.loop.apply()
    host = made.host("alpha")
    answer = await made.ask(host, "/channels/webhook/main?x=1", method="POST", body="{}", headers="X-Webhook-Signature: sha256=ab\r\n")
    assert answer.status == 200
    assert answer.header("x-zcplatform-tenant") == made.routes["alpha"].tenant_id
    assert channel.targets == ["/webhook?x=1"]
    assert channel.header("x-webhook-signature") == ["sha256=ab"]
    for target, method in (("/channels/webhook/main", "GET"), ("/channels/webhook/main/", "POST"), ("/channels/webhook/other", "POST")):
        await made.ask(host, target, method=method, body="{}")
    await made.ask(made.host("beta"), "/channels/webhook/main", method="POST", body="{}")
    assert len(channel.heads) == 1
    assert len(agent.heads) == 3
    assert len(other.heads) == 1


async def test_a_stopped_tenant_has_no_channel(channel: Recorder, made: Rig) -> None:
    made.route("alpha", None, (LISTENER,))
    await made.loop.apply()
    assert (await made.ask(made.host("alpha"), "/channels/webhook/main", method="POST", body="{}")).status == 503
    assert channel.heads == []


async def test_what_the_gateway_serves_for_services_is_open_to_those_who_have_the_channel(made: Rig) -> None:
    having, lacking = Recorder(), Recorder()
    made.route("alpha", await made.agent(having.talk), hooks=("whatsapp", "gmail_push"))
    made.route("beta", await made.agent(lacking.talk))
    await made.loop.apply()
    for target, is_open in (("/whatsapp", True), ("/whatsapp/main", True), ("/webhook/gmail", True), ("/linq/main", False)):
        for slug, has in (("alpha", is_open), ("beta", False)):
            answer = await made.ask(made.host(slug), target, method="POST", body="{}")
            assert answer.status == (200 if has else 404), (slug, target)
    assert having.targets == ["/whatsapp", "/whatsapp/main", "/webhook/gmail"]
    assert lacking.heads == []
    assert (await made.ask(made.host("beta"), "/webhook", method="POST", body="{}")).status == 200
