"""What the platform shows of channels is what the real agent says of them: one that listens, one that fails, one that is off, one it does not have."""

import asyncio
from pathlib import Path

from tests.agent_channels.rig import ANSWER_S, Channel, Place, talking
from tests.contract.rig import TOKEN
from tests.live.waiting import wait_until
from zcplatform.adapters.gateway import Gateway
from zcplatform.agent import gateway_answers
from zcplatform.engines.seen import Address


async def _ask(port: int) -> dict[str, gateway_answers.Channel]:
    async with Gateway() as asked:
        return {channel.name: channel for channel in await asked.channels(Address("127.0.0.1", port), TOKEN)}


def test_each_channel_is_shown_as_it_is(place: Place, tmp_path: Path) -> None:
    listening = Channel("webhook.main", {}, {"secret": "hook-canary-51c7"})
    failing = Channel("irc.main", {"server": "127.0.0.1", "port": 1, "nickname": "zero", "channels": ["#a"]}, peers=("ada",))
    missing = Channel("wechat.main", {}, peers=("ada",))
    with talking(place, tmp_path, listening, failing, missing) as agent:
        found: dict[str, gateway_answers.Channel] = {}

        def have_spoken() -> bool:
            found.update(asyncio.run(_ask(agent.home.port)))
            irc = found["irc.main"]
            return bool(found["webhook.main"].is_ready) and irc.restarts > 0 and irc.is_ready is False

        wait_until(have_spoken, ANSWER_S, "the one listens and the other has failed")
    assert sorted(found) == ["irc.main", "webhook.main", "wechat.main"]
    webhook, irc, wechat = found["webhook.main"], found["irc.main"], found["wechat.main"]
    assert (webhook.is_compiled, webhook.is_enabled, webhook.is_ready, webhook.error) == (True, True, True, None)
    assert (irc.is_compiled, irc.is_enabled) == (True, True)
    assert "refused" in (irc.error or "")
    assert (wechat.is_compiled, wechat.is_ready, wechat.status) == (False, None, "not_compiled")
