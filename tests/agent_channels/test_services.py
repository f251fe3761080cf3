"""Channels of services whose software is not to be had, against a counterpart that speaks what they publish (services.py)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.agent_channels.rig import ANSWER_S, LISTENER_PORT, Channel, Place, talking
from tests.agent_channels.servers import HOST, listens
from tests.agent_channels.services import NAMES, Services, serving, telegram
from tests.agent_channels.trust import Trust
from tests.contract.rig import Running, free_port
from tests.live.waiting import wait_until

SECRET = "signing-canary-61fe"


@pytest.fixture(scope="module")
def services(trust: Trust) -> Iterator[Services]:
    with serving(trust.certificate(*NAMES)) as running:
        yield running


def hexadecimal(text: str, secret: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def post(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> int:
    return httpx2.post(url, content=json.dumps(body), headers={"Content-Type": "application/json", **headers}).status_code


def friend_and_stranger(agent: Running, place: Place, send: Any, said: Any) -> None:
    """`send(words, sender is the friend, secret) -> status`; `said(words) -> whether the answer has come`."""
    assert send("forged words", True, "guessed") in (401, 403)
    assert send("strange words", False, SECRET) == 200
    assert send("friendly words", True, SECRET) == 200
    wait_until(lambda: bool(said("friendly words")), ANSWER_S, "the answer comes")
    assert not place.model.heard("forged words")
    assert not place.model.heard("strange words")


def test_whatsapp_cloud(place: Place, believing: Path, services: Services, tmp_path: Path) -> None:
    secrets = {"access_token": "wa-canary", "verify_token": "wa-verify", "app_secret": SECRET}
    channel = Channel("whatsapp.main", {"phone_number_id": "1055"}, secrets, ("+15550001",))

    def send(words: str, is_friend: bool, secret: str) -> int:
        message = {"from": "15550001" if is_friend else "15550666", "id": words, "type": "text", "text": {"body": words}}
        value = {"messaging_product": "whatsapp", "messages": [message]}
        body = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}
        signature = {"X-Hub-Signature-256": f"sha256={hexadecimal(json.dumps(body), secret)}"}
        return post(f"{agent.url}/whatsapp/main", body, signature)

    with talking(replace(place, program=believing), tmp_path, channel) as agent:
        asked = {"hub.mode": "subscribe", "hub.verify_token": "wa-verify", "hub.challenge": "1158201444"}
        assert agent.http.get("/whatsapp/main", params=asked).text == "1158201444"
        assert agent.http.get("/whatsapp/main", params={**asked, "hub.verify_token": "guessed"}).status_code == 403
        url = "graph.facebook.com/v18.0/1055/messages"
        friend_and_stranger(agent, place, send, lambda words: services.said(url, words))
        [answer] = services.said(url, "friendly words")
        assert answer.headers["authorization"] == "Bearer wa-canary"
        assert json.loads(answer.text)["to"] == "15550001"


def test_linq(place: Place, believing: Path, services: Services, tmp_path: Path) -> None:
    channel = Channel("linq.main", {"from_phone": "+15550100"}, {"api_token": "linq-canary", "signing_secret": SECRET}, ("+15550001",))

    def send(words: str, is_friend: bool, secret: str) -> int:
        data = {
            "chat_id": "chat-1",
            "from": "+15550001" if is_friend else "+15550666",
            "message": {"id": words, "parts": [{"type": "text", "value": words}]},
        }
        body, at = {"event_type": "message.received", "data": data}, str(int(time.time()))
        headers = {"X-Webhook-Timestamp": at, "X-Webhook-Signature": hexadecimal(f"{at}.{json.dumps(body)}", secret)}
        return post(f"{agent.url}/linq/main", body, headers)

    with talking(replace(place, program=believing), tmp_path, channel) as agent:
        url = "api.linqapp.com/api/partner/v3/chats/chat-1/messages"
        friend_and_stranger(agent, place, send, lambda words: services.said(url, words))
        assert services.said(url, "friendly words")[0].headers["authorization"] == "Bearer linq-canary"


def test_line(place: Place, believing: Path, services: Services, tmp_path: Path) -> None:
    port = LISTENER_PORT
    channel = Channel("line.main", {}, {"channel_access_token": "line-canary", "channel_secret": SECRET}, ("Ufriend",))

    def send(words: str, is_friend: bool, secret: str) -> int:
        event = {
            "type": "message",
            "replyToken": "reply-1",
            "timestamp": 1,
            "source": {"type": "user", "userId": "Ufriend" if is_friend else "Ustranger"},
            "message": {"type": "text", "id": words, "text": words},
        }
        body = {"destination": "Ubot", "events": [event]}
        signature = base64.b64encode(hmac.new(secret.encode(), json.dumps(body).encode(), hashlib.sha256).digest()).decode()
        return post(f"http://{HOST}:{port}/line/webhook", body, {"X-Line-Signature": signature})

    with talking(replace(place, program=believing), tmp_path, channel) as agent:
        wait_until(lambda: listens(port), ANSWER_S, "the channel listens")
        url = "api.line.me/v2/bot/message/reply"
        friend_and_stranger(agent, place, send, lambda words: services.said(url, words))
        [answer] = services.said(url, "friendly words")
        assert answer.headers["authorization"] == "Bearer line-canary"
        assert json.loads(answer.text)["replyToken"] == "reply-1"


def test_nextcloud_talk(place: Place, tmp_path: Path) -> None:
    port = free_port()
    with serving(None, HOST, port) as cloud:
        channel = Channel("nextcloud_talk.main", {"base_url": f"http://{HOST}:{port}"}, {"webhook_secret": SECRET}, ("alice",))

        def send(words: str, is_friend: bool, secret: str) -> int:
            actor = {"type": "Person", "id": "users/alice" if is_friend else "users/mallory", "name": "A person"}
            note = {"type": "Note", "id": "7", "name": "message", "content": json.dumps({"message": words, "parameters": {}})}
            body = {"type": "Create", "actor": actor, "object": note, "target": {"type": "Collection", "id": "room-1", "name": "Room"}}
            headers = {"X-Nextcloud-Talk-Random": "r" * 64, "X-Nextcloud-Talk-Signature": hexadecimal("r" * 64 + json.dumps(body), secret)}
            return post(f"{agent.url}/nextcloud-talk/main", body, headers)

        with talking(place, tmp_path, channel) as agent:
            url = f"{HOST}:{port}/ocs/v2.php/apps/spreed/api/v1/bot/room-1/message?format=json"
            friend_and_stranger(agent, place, send, lambda words: cloud.said(url, words))
            [answer] = cloud.said(url, "friendly words")
            signed = answer.headers["x-nextcloud-talk-bot-random"] + json.loads(answer.text)["message"]
            assert answer.headers["x-nextcloud-talk-bot-signature"] == hexadecimal(signed, SECRET)


def test_telegram(place: Place, tmp_path: Path) -> None:
    with telegram("1234:telegram-canary") as (bot, url):
        channel = Channel("telegram.main", {"api_base_url": url}, {"bot_token": "1234:telegram-canary"}, ("42",))
        with talking(place, tmp_path, channel):
            bot.write(66, "mallory", "strange words")
            bot.write(42, "alice", "friendly words")
            wait_until(lambda: any("friendly words" in answer for answer in bot.answers_to(42)), ANSWER_S, "the answer comes")
            assert bot.answers_to(42)[0].startswith("echo: ")
            # The agent, not the model, answers a stranger with how to be admitted.
            wait_until(lambda: len(bot.answers_to(66)) == 1, ANSWER_S, "the stranger gets an answer")
            assert "requires operator approval" in bot.answers_to(66)[0]
            assert not place.model.heard("strange words")
