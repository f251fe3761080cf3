"""The webhook channel: the agent's own listener, an answer to an address of the other side."""

import hashlib
import hmac
import json
from pathlib import Path

import httpx2
import pytest

from tests.agent_channels.receiver import receiving
from tests.agent_channels.rig import ANSWER_S, LISTENER_PORT, Channel, Place, talking
from tests.agent_channels.servers import HOST, listens
from tests.live.waiting import wait_until

SECRET = "hook-canary-90d1"


def post(port: int, body: dict[str, str], secret: str | None = SECRET) -> int:
    data = json.dumps(body).encode()
    headers = {}
    if secret is not None:
        headers["X-Webhook-Signature"] = f"sha256={hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()}"
    return httpx2.post(f"http://{HOST}:{port}/webhook", content=data, headers=headers).status_code


def test_a_signed_message_is_answered_and_nothing_else_is_heard(place: Place, tmp_path: Path) -> None:
    with receiving() as other_side:
        port = LISTENER_PORT
        channel = Channel("webhook.main", {"send_url": f"{other_side.url}/outbox"}, {"secret": SECRET, "auth_header": "Bearer back-canary"})
        with talking(place, tmp_path, channel) as agent:
            wait_until(lambda: listens(port), ANSWER_S, "the channel listens")
            assert post(port, {"sender": "mallory", "content": "unsigned words"}, None) == 401
            assert post(port, {"sender": "mallory", "content": "forged words"}, "guessed") == 401
            assert post(port, {"sender": "alice", "content": "signed words", "thread_id": "t-1"}) == 200
            wait_until(lambda: bool(other_side.said("signed words")), ANSWER_S, "the answer comes")
            [answer] = other_side.posts
            assert (answer.path, answer.authorization) == ("/outbox", "Bearer back-canary")
            assert answer.body["content"].startswith("echo: ")
            assert (answer.body["thread_id"], answer.body["recipient"]) == ("t-1", "t-1")
            assert not place.model.heard("unsigned words")
            assert not place.model.heard("forged words")
            [seen] = agent.ask("GET", "/api/channels").json()["channels"]
            assert (seen["name"], seen["compiled"], seen["health"]) == ("webhook.main", True, "healthy")


def test_without_a_secret_it_can_not_be_saved(place: Place, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"channels\.webhook\.main\.secret"), talking(place, tmp_path, Channel("webhook.main", {})):
        pass
