"""How the worker watches the edge: on its public port, and without filling its log."""

import asyncio
import os
import signal

import pytest

from tests.live.edge_rig import Recorder, Rig, until
from zcplatform.adapters.caddy import Caddy, EdgeRejected, EdgeUnreachable

pytestmark = pytest.mark.live


async def test_the_log_is_silent_about_our_own_reads(made: Rig) -> None:
    await made.loop.apply()
    before = len(made.process.lines)
    for _ in range(5):
        await made.caddy.get()
    with pytest.raises(EdgeRejected):
        await made.caddy.set({"apps": {"nonsense": {}}}, (await made.caddy.get())[1])
    lines = made.process.lines
    await until(lambda: any("nonsense" in line for line in lines[before:]))
    assert not [line for line in lines[before:] if '"received request"' in line]


async def test_the_listener_is_known_to_answer_only_while_it_does(made: Rig) -> None:
    """D1: looked at on the public port. An edge that hangs, or a stranger on its port, is not one that answers."""
    await made.loop.apply()
    await made.caddy.require_listener()
    hasty = Caddy(made.settings.caddy_socket, made.port, tls=False, timeout_s=0.5)
    os.kill(made.process.pid, signal.SIGSTOP)
    with pytest.raises(EdgeUnreachable, match="did not respond in time"):
        await hasty.require_listener()
    os.kill(made.process.pid, signal.SIGCONT)
    await made.caddy.require_listener()
    await made.process.end()
    with pytest.raises(EdgeUnreachable, match="Connection refused"):
        await made.caddy.require_listener()
    stranger = await asyncio.start_server(Recorder().talk, "127.0.0.1", made.port)
    with pytest.raises(EdgeUnreachable, match="Something other than this edge"):
        await made.caddy.require_listener()
    stranger.close()
