"""Signal, Mattermost and Gitea, against counterparts that speak what is published of their interfaces (counterparts.py)."""

from pathlib import Path

from tests.agent_channels.counterparts import ROOM, Forge, MattermostServer, SignalDaemon, standing
from tests.agent_channels.rig import ANSWER_S, Channel, Place, talking
from tests.live.waiting import wait_until


def test_signal(place: Place, tmp_path: Path) -> None:
    daemon = SignalDaemon("+15550100")
    with (
        standing(daemon) as address,
        talking(place, tmp_path, Channel("signal.main", {"http_url": address, "account": "+15550100"}, peers=("+15550001",))),
    ):
        daemon.write("+15550666", "strange words")
        daemon.write("+15550001", "friendly words")
        wait_until(lambda: daemon.said("+15550001", "friendly words"), ANSWER_S, "the answer comes")
        assert not place.model.heard("strange words")
        assert {number for sent in daemon.sent for number in sent["recipient"]} == {"+15550001"}


def test_mattermost(place: Place, tmp_path: Path) -> None:
    server = MattermostServer("mm-canary")
    with standing(server) as address:
        channel = Channel("mattermost.main", {"url": address, "channel_ids": [ROOM]}, {"bot_token": "mm-canary"}, ("friend",))
        with talking(place, tmp_path, channel):
            assert server.is_asked.wait(ANSWER_S)
            server.write("stranger", "strange words")
            server.write("friend", "friendly words")
            wait_until(lambda: bool(server.said("friendly words")), ANSWER_S, "the answer comes")
            assert not place.model.heard("strange words")
            assert {sent["channel_id"] for sent in server.sent} == {ROOM}


def test_git(place: Place, tmp_path: Path) -> None:
    forge = Forge("git-canary")
    with standing(forge) as address:
        options = {"provider": "gitea", "api_base_url": f"{address}/api/v1", "repos": ["ada/notes"], "poll_interval_secs": 1}
        with talking(place, tmp_path, Channel("git.main", options, {"access_token": "git-canary"}, ("ada",))):
            assert forge.is_asked.wait(ANSWER_S)
            forge.write("mallory", "@agent strange words")
            forge.write("ada", "unasked words")
            forge.write("ada", "@agent friendly words")
            wait_until(lambda: bool(forge.said("friendly words")), ANSWER_S, "the answer comes")
            assert forge.said("friendly words") == ["7"]
            assert not place.model.heard("strange words")
            assert not place.model.heard("unasked words")
