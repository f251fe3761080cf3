"""Channels through the whole product: set up by the API, in a hardened container behind the firewall, called through Caddy.

Needs the engine that `scripts/test` starts: run by `AGENT=… scripts/test live tests/agent_channels/test_product.py`.
"""

import hashlib
import hmac
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.agent_channels.model import Model, serving
from tests.agent_channels.receiver import Receiver, receiving
from tests.agent_channels.servers import Irc, Mqtt, mosquitto, ngircd
from tests.agent_channels.services import Telegram, telegram
from tests.agent_channels.test_irc import Person
from tests.agent_channels.trust import Trust
from tests.live.edge_rig import free_port
from tests.live.engine import Engine, NoEngine
from tests.live.installation import MODEL_ADDRESS
from tests.live.platform import Platform
from tests.live.waiting import wait_until

pytestmark = pytest.mark.live

SLUG = "talkative"
SECRET = "hook-canary-90d1"
BOT_TOKEN = "1:telegram-canary-77aa"
ANSWER_S = 30


@dataclass
class Town:
    """An installation, the servers it may reach, and one it may not."""

    platform: Platform
    model: Model
    irc: Irc
    walled: Irc
    mqtt: Mqtt
    receiver: Receiver
    bot: Telegram
    bot_url: str

    def hook(self, words: str, secret: str | None = SECRET, path: str = "/channels/webhook/main") -> int:
        body = json.dumps({"sender": "alice", "content": words, "thread_id": "t-1"})
        signature = hmac.new((secret or "").encode(), body.encode(), hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", **({"X-Webhook-Signature": f"sha256={signature}"} if secret else {})}
        return self.platform.visit(SLUG, path, "POST", content=body, headers=headers).status_code

    def add(
        self, kind: str, options: dict[str, Any], secrets: dict[str, str], peers: list[str], alias: str = "main", slug: str = SLUG
    ) -> None:
        sent = {"type": kind, "alias": alias, "options": options, "secrets": secrets, "peers": peers}
        answer = self.platform.api("POST", f"/api/tenants/{slug}/channels", sent)
        assert answer.status in (200, 201, 202), answer
        if answer.status == 202:
            self.platform.finish(answer.body)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    assert os.environ.get("AGENT"), "AGENT must name the real agent's program"
    subprocess.run(["ip", "addr", "replace", f"{MODEL_ADDRESS}/32", "dev", "lo"], check=True)
    folder = tmp_path_factory.mktemp("trust")
    for above in (folder, *folder.parents[:3]):
        above.chmod(above.stat().st_mode | 0o055)
    certificate, model = Trust(folder).certificate("irc.test"), Model()
    try:
        engine = Engine("--live-restore", "--userland-proxy=false")
    except NoEngine as error:
        pytest.fail(str(error), pytrace=False)
    platform = Platform(engine, "chan")
    try:
        engine.start()
        with (
            ngircd(certificate, MODEL_ADDRESS) as irc,
            ngircd(certificate, MODEL_ADDRESS) as walled,
            mosquitto(MODEL_ADDRESS) as mqtt,
            receiving(MODEL_ADDRESS, free_port()) as receiver,
            telegram(BOT_TOKEN, MODEL_ADDRESS) as (bot, bot_url),
            serving(model, MODEL_ADDRESS, platform.model_port),
        ):
            allowed = (platform.model_port, irc.tls_port, mqtt.port, *(int(url.rpartition(":")[2]) for url in (receiver.url, bot_url)))
            platform.configure(allowed_hosts=[f"{MODEL_ADDRESS}:{port}" for port in allowed])
            platform.start_serve()
            platform.start_edge()
            platform.token = platform.new_token()
            platform.make_image()
            yield Town(platform, model, irc, walled, mqtt, receiver, bot, bot_url)
    finally:
        platform.close()
        engine.close()


def test_a_webhook_irc_and_mqtt_in_one_hardened_container(town: Town) -> None:
    platform = town.platform
    platform.create(SLUG, plan="enterprise")
    settings = {"settings": {"risk": {"auto_approve": ["memory_recall", "send_via"]}}}
    assert platform.api("PATCH", f"/api/tenants/{SLUG}/config", settings).status in (200, 202)
    broker = {"broker_url": f"mqtt://{MODEL_ADDRESS}:{town.mqtt.port}", "client_id": "a", "username": town.mqtt.user, "topics": ["ask/#"]}
    town.add("mqtt", broker, {"password": town.mqtt.password}, [])
    server = {"server": MODEL_ADDRESS, "nickname": "agent", "channels": ["#room"], "mention_only": True, "verify_tls": False}
    town.add("irc", {**server, "port": town.irc.tls_port}, {}, ["alice"])
    # Same address, a port that the operator did not allow.
    town.add("irc", {**server, "port": town.walled.tls_port}, {}, ["alice"], "walled")
    platform.do(SLUG, "deploy", 60)

    alice, mallory, watchman = Person(town.irc, "alice"), Person(town.irc, "mallory"), Person(town.walled, "watchman")
    try:
        alice.write("WHOIS agent", "PRIVMSG agent :words over irc")
        mallory.write("PRIVMSG agent :strange words")
        alice.until("PRIVMSG alice :echo: ")
        alice.write("PRIVMSG agent :more words")
        alice.until("more words")
        assert not town.model.heard("strange words")
        # No way in before there is such a channel: the agent itself answers, not the channel.
        assert town.hook("words too early") in (404, 405)

        town.add("webhook", {"send_url": f"{town.receiver.url}/outbox"}, {"secret": SECRET, "auth_header": "Bearer back"}, ["watcher"])
        wait_until(lambda: town.hook("words by caddy") == 200, ANSWER_S, "the channel is reached through the edge")
        wait_until(lambda: bool(town.receiver.said("words by caddy")), ANSWER_S, "the answer comes")
        assert town.receiver.posts[0].authorization == "Bearer back"
        assert town.hook("unsigned words", None) == 401
        assert town.hook("forged words", "guessed") == 401
        assert not town.model.heard("signed words")
        assert not town.model.heard("forged words")

        def answered() -> bool:
            town.mqtt.publish("ask/a", 'call send_via {"target": "webhook_main", "body": "an answer from mqtt"}')
            return bool(town.receiver.said("an answer from mqtt"))

        wait_until(answered, ANSWER_S, "what came by MQTT is answered through the webhook")
        # The wall stood all the while.
        watchman.write("NAMES #room")
        watchman.until("353")
        assert not [line for line in watchman.read if "agent" in line]
        nothing_in_clear(platform, [SECRET, "Bearer back", town.mqtt.password])
    finally:
        for person in (alice, mallory, watchman):
            person.end()

    removed = platform.api("DELETE", f"/api/tenants/{SLUG}/channels/webhook.main")
    assert removed.status == 202, removed
    platform.finish(removed.body)
    wait_until(lambda: town.hook("words too late") in (404, 405), ANSWER_S, "the way in is closed")
    assert not town.model.heard("words too late")
    platform.do(SLUG, "delete", 60)


def test_people_let_in_by_the_dashboard_stay_let_in(town: Town) -> None:
    """By the real agent's own `bind`, asked through Caddy with a paired person's token, as its dashboard does."""
    platform, slug, bot = town.platform, "binding", town.bot
    platform.create(slug)
    town.add("telegram", {"api_base_url": town.bot_url}, {"bot_token": BOT_TOKEN}, ["1001"], slug=slug)
    platform.do(slug, "deploy", 60)
    bearer = platform.pair(slug)

    def dashboard(method: str, path: str, body: object) -> dict[str, Any]:
        answer = platform.visit(slug, path, method, json=body, headers={"Authorization": f"Bearer {bearer}"})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def let_in(person: int) -> None:
        told = dashboard("POST", "/api/channels/bind", {"channel_type": "telegram", "alias": "main", "identity": str(person)})
        assert (told["saved"], told["group"]) == (True, "telegram_main")

    def answers(person: int, words: str) -> None:
        bot.write(person, f"person{person}", words)
        wait_until(lambda: any(words in text for text in bot.answers_to(person)), ANSWER_S, f"{words!r} is answered")

    def is_refused(person: int, words: str) -> None:
        bot.write(person, f"person{person}", words)
        wait_until(lambda: any("operator" in text.lower() for text in bot.answers_to(person)), ANSWER_S, f"{words!r} is refused")
        assert not town.model.heard(words)

    def stand(when: str, *people: int) -> None:
        for person in people:
            answers(person, f"{person} {when}")
        assert "paired" in platform.talk(slug, bearer, "paired still")
        assert not platform.tenant(slug)["has_drift"], "whom it admits is the agent's own business"

    is_refused(2002, "too early")
    let_in(2002)
    stand("after the bind", 1001, 2002)

    platform.finish(platform.api("PATCH", f"/api/tenants/{slug}/config", {"settings": {"instructions": "Answer in verse."}}).body)
    stand("after a new revision", 1001, 2002)

    let_in(3003)
    platform.do(slug, "restart")
    stand("after a restart", 1001, 2002, 3003)

    reboot(platform, slug)
    stand("after a reboot", 1001, 2002, 3003)

    # Who is put out there stays out, also behind a render.
    dashboard("PUT", "/api/config/prop", {"path": "peer_groups.telegram_main.external_peers", "value": ["1001", "3003"]})
    platform.do(slug, "restart")
    bot.sent.clear()
    is_refused(2002, "too late")
    stand("at the end", 1001, 3003)
    platform.do(slug, "delete", 60)


def test_what_no_variable_can_pin_is_shown_and_taken_back(town: Town) -> None:
    """Prices, further agents and other risk profiles: set looser by a paired person through the real dashboard's API."""
    platform, slug = town.platform, "loosened"
    platform.create(slug)
    platform.do(slug, "deploy", 60)
    bearer = platform.pair(slug)

    def dashboard(method: str, where: str, body: object, **query: str) -> None:
        """The agent reads its file again after each of these; meanwhile nobody answers."""
        sent = {"headers": {"Authorization": f"Bearer {bearer}"}, "params": query, **({"json": body} if body is not None else {})}
        wait_until(lambda: platform.visit(slug, where, method, **sent).status_code == 200, ANSWER_S, f"{method} {where} {query} is done")

    rate = "cost.rates.providers.models.custom"
    for path, key in (("risk_profiles", "loose"), ("agents", "second"), (rate, "echo")):
        dashboard("POST", "/api/config/map-key", None, path=path, key=key)
    dashboard("PUT", "/api/config/prop", {"path": "risk_profiles.loose.level", "value": "full"})
    dashboard("PUT", "/api/config/prop", {"path": f"{rate}.echo.input_per_mtok", "value": 0.0})
    agent = {"risk_profile": "loose", "model_provider": "custom.main"}
    dashboard("PATCH", "/api/config", [{"op": "add", "path": f"/agents/second/{name}", "value": value} for name, value in agent.items()])

    def drift() -> dict[str, Any]:
        changes = platform.api("GET", f"/api/tenants/{slug}/drift").body["changes"]
        return {one["path"]: (one["found"], one["can_be_kept"]) for one in changes}

    def shown(*paths: str) -> bool:
        return all(any(path.startswith(wanted) for path in drift()) for wanted in paths)

    wait_until(lambda: shown("risk_profiles.loose", "agents.second", "cost.rates"), ANSWER_S, "all three are reported")
    assert "'full'" in repr(drift())
    assert not any(can_be_kept for _, can_be_kept in drift().values())
    assert platform.api("POST", f"/api/tenants/{slug}/drift/keep").body["code"] == "drift.not_keepable"
    platform.finish(platform.api("POST", f"/api/tenants/{slug}/drift/discard").body)
    assert drift() == {}
    told = platform.visit(slug, "/api/config/map-keys", params={"path": "agents"}, headers={"Authorization": f"Bearer {bearer}"})
    assert "main" in told.text
    assert "second" not in told.text, "the running agent has it no more"
    assert "loose" not in (platform.settings.config_dir / slug / "zeroclaw" / "config.toml").read_text()
    platform.do(slug, "delete", 60)


def reboot(platform: Platform, slug: str) -> None:
    """The power fails: nothing is stopped in order, and what was in memory is lost."""
    platform.kill_serve()
    platform.kill_edge()
    platform.docker("kill", platform.names.container(slug))
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4]
        if point.startswith(f"{platform.run}/"):
            subprocess.run(["umount", "-l", point], check=True)
    for inside in platform.run.iterdir():
        shutil.rmtree(inside) if inside.is_dir() else inside.unlink()
    assert not (platform.settings.config_dir / slug).exists()
    platform.start_serve()
    platform.start_edge()
    platform.wait_state(slug, "running")


def nothing_in_clear(platform: Platform, secrets: list[str]) -> None:
    """Neither in what the engine reports about the container, nor in the files of the installation."""
    told = platform.docker("inspect", platform.names.container(SLUG))
    config = Path(platform.settings.config_dir / SLUG / "zeroclaw" / "config.toml").read_text()
    logs = platform.log() + platform.log("edge")
    for secret in secrets:
        assert secret not in told
        assert secret not in config
        assert secret not in logs
