"""What the platform relies on in an agent. The demo agent and, when AGENT names its program, the real one must pass the very same tests."""

import json
import re
import stat
import time
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.contract.rig import CANARY, KEY, TOKEN, Home, Running, Spoiler
from tests.fakes.agents import at
from zcplatform.adapters.gateway import Gateway
from zcplatform.agent.sealed import seal, token_hash
from zcplatform.agent.versions import is_supported, parse
from zcplatform.errors import NotFound, Unavailable

STOP_S = 3
LABELS = '{model="echo",model_provider="custom.main"}'


# Command line


def test_version_is_one_the_platform_drives(home: Home) -> None:
    result = home.run("--version")
    assert result.returncode == 0
    assert is_supported(parse(result.stdout))


def test_a_rendered_configuration_is_valid(home: Home) -> None:
    result = home.run("config", "migrate", "--json")
    assert result.returncode == 0
    assert json.loads(result.stdout) == {"error": None, "migrated": False, "schema_version": 3, "valid": True}
    result = home.run("config", "patch", "--json", "-", stdin="[]")
    assert result.returncode == 0
    assert json.loads(result.stdout) == {"results": [], "saved": True}


def test_a_configuration_without_provider_is_valid_too(home: Home) -> None:
    for path in home.path.iterdir():
        path.rmdir() if path.is_dir() else path.unlink()
    home.prepare(None)
    assert json.loads(home.run("config", "migrate", "--json").stdout)["valid"] is True
    assert home.run("config", "patch", "--json", "-", stdin="[]").returncode == 0


def test_migrate_finds_a_wrong_word(home: Home) -> None:
    home.change('level = "supervised"', 'level = "read_only"')
    result = home.run("config", "migrate", "--json")
    assert result.returncode == 1
    found = json.loads(result.stdout)
    assert found["valid"] is False
    assert "risk_profiles.tenant.level" in found["error"]


@pytest.mark.parametrize(
    ("pattern", "replacement", "path"),
    [
        ('risk_profile = "tenant"', 'risk_profile = "nosuch"', "agents.main.risk_profile"),
        ('model_provider = "custom.main"', 'model_provider = "custom.nosuch"', "agents.main.model_provider"),
    ],
)
def test_patch_finds_a_name_that_leads_nowhere(home: Home, pattern: str, replacement: str, path: str) -> None:
    home.change(pattern, replacement)
    assert home.run("config", "migrate", "--json").returncode == 0
    result = home.run("config", "patch", "--json", "-", stdin="[]")
    assert result.returncode == 1
    found = json.loads(result.stderr)
    assert (found["code"], found["path"]) == ("dangling_reference", path)


def test_patch_finds_an_address_that_is_not_http(home: Home) -> None:
    home.change('uri = "http:', 'uri = "ftp:')
    result = home.run("config", "patch", "--json", "-", stdin="[]")
    assert result.returncode == 1
    assert json.loads(result.stderr)["code"] == "validation_failed"


CHANNELS: Mapping[str, tuple[str, str]] = {
    "a text that is a number": ('[channels.irc.main]\nserver = 5\nnickname = "n"', "channels.irc.main.server"),
    "a number that is a text": ('[channels.irc.main]\nserver = "s"\nnickname = "n"\nport = "x"', "channels.irc.main.port"),
    "a port above all": ('[channels.irc.main]\nserver = "s"\nnickname = "n"\nport = 70000', "channels.irc.main.port"),
    "a port below all": ('[channels.irc.main]\nserver = "s"\nnickname = "n"\nport = -1', "channels.irc.main.port"),
    "a port with a fraction": ('[channels.irc.main]\nserver = "s"\nnickname = "n"\nport = 1.0', "channels.irc.main.port"),
    "a yes that is a text": ('[channels.webhook.main]\nenabled = "yes"', "channels.webhook.main.enabled"),
    "a list that is a text": ('[channels.irc.main]\nserver = "s"\nnickname = "n"\nchannels = "x"', "channels.irc.main.channels"),
    "a list of numbers": ('[channels.irc.main]\nserver = "s"\nnickname = "n"\nchannels = [1]', "channels.irc.main.channels"),
    "a word outside the list": ('[channels.telegram.main]\nstream_mode = "nosuch"', "channels.telegram.main.stream_mode"),
    "what has to be there": ('[channels.irc.main]\nserver = "s"', "nickname"),
    "a table that is a number": (
        '[channels.email.main]\nimap_host = "a"\nsmtp_host = "b"\nusername = "c"\npassword = "d"\nfrom_address = "e"\noauth2 = 5',
        "channels.email.main.oauth2",
    ),
    "a channel that is a number": ("[channels.webhook]\nmain = 5", "channels.webhook.main"),
    "a type that is a number": ("[channels]\nwebhook = 5", "channels.webhook"),
    "an unknown way to a server": ('[[mcp.servers]]\nname = "x"\ntransport = "nosuch"', "mcp.servers.transport"),
}
"""What the strict parse refuses, with what it names; the daemon starts without the channel."""


@pytest.mark.parametrize("name", CHANNELS)
def test_migrate_finds_what_is_wrong_with_a_channel(home: Home, name: str) -> None:
    text, path = CHANNELS[name]
    home.write("config.toml", f"{home.text}{text}\n")
    result = home.run("config", "migrate", "--json")
    assert result.returncode == 1
    found = json.loads(result.stdout)
    assert (found["valid"], path in found["error"]) == (False, True), found
    assert home.run("config", "patch", "--json", "-", stdin="[]").returncode == 0, "it continues without what it cannot read"


REFERENCES: Mapping[str, tuple[str, str, str | None]] = {
    "no token": ("[channels.telegram.main]\nenabled = true", "required_field_empty", "channels.telegram.main.bot_token"),
    "a blank token": (
        '[channels.discord.main]\nenabled = true\nbot_token = " "',
        "required_field_empty",
        "channels.discord.main.bot_token",
    ),
    "no account": (
        '[channels.signal.main]\nenabled = true\nhttp_url = "http://x"\naccount = ""',
        "required_field_empty",
        "channels.signal.main.account",
    ),
    "no forge": ('[channels.git.main]\nenabled = true\nprovider = "gitea"', "required_field_empty", "channels.git.main.api_base_url"),
    "no http": ('[channels.telegram.main]\napi_base_url = "ftp://x"', "invalid_format", "channels.telegram.main.api_base_url"),
    "too slow": (
        "[channels.telegram.main]\nreply_min_interval_secs = 3601",
        "invalid_numeric_range",
        "channels.telegram.main.reply_min_interval_secs",
    ),
    "too much": (
        "[channels.slack.main]\nthread_context_max_messages = 51",
        "invalid_numeric_range",
        "channels.slack.main.thread_context_max_messages",
    ),
    "people of nowhere": ('[peer_groups.g]\nchannel = "irc.nosuch"', "dangling_reference", "peer_groups.g.channel"),
    "people of nothing": ("[peer_groups.g]\n", "required_field_empty", "peer_groups.g.channel"),
    "a group of nobody": (
        '[channels.webhook.main]\n[peer_groups.g]\nchannel = "webhook.main"\nagents = ["nosuch"]',
        "dangling_reference",
        "peer_groups.g.agents[0]",
    ),
    "a group for one who does not listen": (
        '[channels.webhook.main]\n[peer_groups.g]\nchannel = "webhook.main"\nagents = ["main"]',
        "invalid_format",
        "peer_groups.g.agents[0]",
    ),
    "a server without address": (
        '[mcp]\nenabled = true\n[[mcp.servers]]\nname = "x"\ntransport = "http"',
        "validation_failed",
        None,
    ),
    "a server without command": ('[mcp]\nenabled = true\n[[mcp.servers]]\nname = "x"', "validation_failed", None),
    "a server without name": (
        '[mcp]\nenabled = true\n[[mcp.servers]]\ntransport = "http"\nurl = "http://x"',
        "required_field_empty",
        "mcp.servers[0].name",
    ),
}
"""What the parser takes and the validation refuses: code and path."""


@pytest.mark.parametrize("name", REFERENCES)
def test_patch_finds_what_is_wrong_with_a_channel(home: Home, name: str) -> None:
    text, code, path = REFERENCES[name]
    home.write("config.toml", f"{home.text}{text}\n")
    assert home.run("config", "migrate", "--json").returncode == 0
    result = home.run("config", "patch", "--json", "-", stdin="[]")
    assert result.returncode == 1
    found = json.loads(result.stderr)
    assert (found["code"], found.get("path")) == (code, path), found


@pytest.mark.parametrize(
    ("channel", "code"), [("irc.nosuch", "dangling_reference"), ("irc", "invalid_format"), (5, "")], ids=["nowhere", "no alias", "no list"]
)
def test_an_agent_listens_to_channels_that_are_there(home: Home, channel: object, code: str) -> None:
    channels = json.dumps([channel] if code else channel)
    home.change(r"\[agents.main\]\n", f"[agents.main]\nchannels = {channels}\n")
    assert home.run("config", "migrate", "--json").returncode == (0 if code else 1)
    result = home.run("config", "patch", "--json", "-", stdin="[]")
    assert result.returncode == (1 if code else 0)
    if code:
        found = json.loads(result.stderr)
        assert (found["code"], found["path"]) == (code, "agents.main.channels[0]")


@pytest.mark.parametrize(
    "text",
    [
        '[channels.telegram.main]\nbot_token = "enc2:0000"\n',
        '[channels.email.main]\nimap_host = "a"\nsmtp_host = "b"\nusername = "c"\npassword = "enc2:00"\nfrom_address = "e"\n',
        '[mcp]\nenabled = true\n[[mcp.servers]]\nname = "x"\ntransport = "http"\nurl = "http://x"\n[mcp.servers.headers]\nA = "enc2:00"\n',
    ],
    ids=["of a channel", "that the schema does not mark", "of a server"],
)
def test_a_secret_that_does_not_open_stops_every_command(home: Home, text: str) -> None:
    home.write("config.toml", home.text + text)
    for command in (("config", "migrate", "--json"), ("config", "patch", "--json", "-"), ("--verbose", "daemon")):
        result = home.run(*command, stdin="[]")
        assert result.returncode == 1
        assert "Failed to decrypt" in result.stderr


def test_channels_that_can_not_be_read_or_are_not_known_are_left_out(home: Home) -> None:
    home.write(
        "config.toml",
        home.text
        + "[channels.nosuch.main]\nenabled = true\n[channels.wechat.good]\nenabled = true\nnosuch = 1\n"
        + '[channels.wechat.bad]\nenabled = "yes"\n[channels.irc.main]\nserver = "s"\n',
    )
    with home.running() as agent:
        rows = agent.ask("GET", "/api/channels").json()["channels"]
        text = "".join(agent.lines)
    assert [row["name"] for row in rows] == ["wechat.good"]
    assert "`channels.wechat.bad`" in text
    assert "`channels.irc.main`" in text


def test_an_unknown_command_is_2(home: Home) -> None:
    assert home.run("nosuch").returncode == 2


# Start


def _symlinked_key(home: Home) -> None:
    key = home.path / ".secret_key"
    key.symlink_to(key.rename(home.path / "elsewhere"))


def _lock_file(mode: int) -> Spoiler:
    def spoil(home: Home) -> None:
        directory = home.path / "data" / ".lifecycle"
        directory.mkdir(mode=0o700)
        lock = directory / "config-lifecycle.lock"
        lock.touch()
        lock.chmod(mode)

    return spoil


def _lifecycle(mode: int) -> Spoiler:
    def spoil(home: Home) -> None:
        directory = home.path / "data" / ".lifecycle"
        directory.mkdir()
        directory.chmod(mode)

    return spoil


def _data_is_a_file(home: Home) -> None:
    (home.path / "data").rmdir()
    home.write("data", "")


def _tampered(name: str) -> Spoiler:
    return lambda home: home.change(rf'({name} = [^"]*"enc2:)........', r"\g<1>00000000")


REFUSED: Mapping[str, Spoiler] = {
    "key missing": lambda home: (home.path / ".secret_key").unlink(),
    "key too short": lambda home: home.write(".secret_key", KEY[:16].hex()),
    "key too long": lambda home: home.write(".secret_key", KEY.hex() + "00"),
    "key not hexadecimal": lambda home: home.write(".secret_key", "zz" * 32),
    "key of another tenant": lambda home: home.write(".secret_key", bytes(32).hex()),
    "key behind a symbolic link": _symlinked_key,
    "provider key tampered with": _tampered("api_key"),
    "token tampered with": _tampered("paired_tokens"),
    "schema of the future": lambda home: home.change("schema_version = 3", "schema_version = 4"),
    "schema not a number": lambda home: home.change("schema_version = 3", 'schema_version = "3"'),
    "not TOML": lambda home: home.change(r"\[gateway\]", "[gateway"),
    "risk profile malformed": lambda home: home.change('level = "supervised"', 'level = "read_only"'),
    "risk profiles not a table": lambda home: home.change(
        r'(?s)(.*)\[risk_profiles.tenant\]\nlevel = "supervised"', r"risk_profiles = 5\n\1"
    ),
    "peer groups malformed": lambda home: home.write("config.toml", home.text + "[peer_groups.x]\nchannel = 5\n"),
    "security malformed": lambda home: home.write("config.toml", home.text + "[security]\notp = 5\n"),
    "lock readable for others": _lock_file(0o644),
    "lock directory writable for others": _lifecycle(0o777),
    "data directory is a file": _data_is_a_file,
}

TAKEN: Mapping[str, Spoiler] = {
    "key with white space": lambda home: home.write(".secret_key", f" {KEY.hex()}\n"),
    "plain hash as token": lambda home: home.gateway(paired_tokens=[token_hash(TOKEN)]),
    "the token itself, sealed": lambda home: home.gateway(paired_tokens=[seal(KEY, TOKEN)]),
    "plain provider key": lambda home: home.change('api_key = "[^"]*"', 'api_key = "sk-plain"'),
    "unknown keys": lambda home: home.write("config.toml", "unknown = 1\n" + home.text + "[gateway.unknown]\nx = 1\n"),
    "a name that leads nowhere": lambda home: home.change('risk_profile = "tenant"', 'risk_profile = "nosuch"'),
    "no data directory yet": lambda home: (home.path / "data").rmdir(),
    "a lock left behind": _lock_file(0o600),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_to_start(home: Home, name: str) -> None:
    REFUSED[name](home)
    result = home.run("--verbose", "daemon")
    assert result.returncode == 1
    assert result.stderr.strip()
    assert CANARY not in result.stdout + result.stderr
    assert KEY.hex() not in result.stdout + result.stderr


@pytest.mark.parametrize("name", TAKEN)
def test_starts_all_the_same(home: Home, name: str) -> None:
    TAKEN[name](home)
    with home.running() as agent:
        assert agent.ask("GET", "/api/channels").status_code == 200


def test_refuses_an_override_it_does_not_know(home: Home) -> None:
    assert home.run("--verbose", "daemon", environment={"ZEROCLAW_gateway__nosuch": "1"}).returncode == 1


def test_a_second_daemon_on_the_same_data_is_refused(agent: Running) -> None:
    result = agent.home.run("--verbose", "daemon")
    assert result.returncode == 1
    assert "owns the config state" in result.stderr
    assert agent.ask("GET", "/health").status_code == 200


def test_a_failed_start_makes_no_key(home: Home) -> None:
    (home.path / ".secret_key").unlink()
    home.run("--verbose", "daemon")
    assert not (home.path / ".secret_key").exists()


def test_sigterm_ends_it_with_0(agent: Running) -> None:
    began = time.monotonic()
    assert agent.stop() == 0
    assert time.monotonic() - began < STOP_S


def test_sigterm_ends_it_with_an_open_conversation(agent: Running) -> None:
    with connect(f"ws://127.0.0.1:{agent.home.port}/ws/chat?agent=main&token={TOKEN}", proxy=None) as socket:
        socket.recv()
        began = time.monotonic()
        agent.process.terminate()
        with pytest.raises(Exception, match=r"close|1001|1006"):
            socket.recv(STOP_S)
    assert agent.process.wait(STOP_S) == 0
    assert time.monotonic() - began < 2 * STOP_S


def test_it_logs_to_standard_output_without_secrets(agent: Running) -> None:
    agent.say("hello")
    agent.stop()
    agent.end()
    text = "".join(agent.lines)
    assert len(agent.lines) > 1
    for secret in (CANARY, KEY.hex(), TOKEN, token_hash(TOKEN)):
        assert secret not in text


# Health, metrics and other open paths


def test_health_has_exactly_this_form(shared: Running) -> None:
    response = shared.ask("GET", "/health", bearer=None)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"status", "paired", "require_pairing", "runtime"}
    assert (body["status"], body["paired"], body["require_pairing"]) == ("ok", True, True)
    assert set(body["runtime"]) == {"pid", "updated_at", "uptime_seconds", "components"}
    assert body["runtime"]["pid"] == shared.process.pid
    assert {"gateway", "daemon", "channels", "scheduler"} <= set(body["runtime"]["components"])
    for component in body["runtime"]["components"].values():
        assert set(component) == {"status", "updated_at", "last_ok", "restart_count"}


async def test_the_platform_s_client_finds_it_healthy(shared: Running) -> None:
    async with Gateway() as gateway:
        health = await gateway.health(at(shared.home.port))
        code = await gateway.initiate_pairing(at(shared.home.port), TOKEN)
    assert health.is_ok
    assert health.is_paired
    assert {component.status for component in health.components} == {"ok"}
    assert len(code) == 32


def test_health_without_tokens_says_unpaired(home: Home) -> None:
    home.gateway(paired_tokens=[])
    with home.running() as agent:
        assert agent.ask("GET", "/health", bearer=None).json()["paired"] is False
        assert agent.ask("GET", "/api/channels").status_code == 401


def test_every_answer_carries_the_browser_s_rules(shared: Running) -> None:
    for path in ("/health", "/", "/api/status", "/nosuch"):
        headers = shared.ask("GET", path, bearer=None).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nosuch", 404),
        ("GET", "/api", 404),
        ("POST", "/nosuch", 405),
        ("DELETE", "/health", 405),
        ("OPTIONS", "/health", 405),
        ("GET", "/webhook", 405),
        ("HEAD", "/health", 200),
        ("GET", "/admin/paircode", 403),
        ("POST", "/admin/paircode/new", 403),
        ("GET", "/ws/chat?agent=main", 400),
    ],
)
def test_other_paths(shared: Running, method: str, path: str, status: int) -> None:
    assert shared.ask(method, path).status_code == status


def test_metrics_need_the_prometheus_backend(home: Home) -> None:
    home.change('backend = "prometheus"', 'backend = "none"')
    with home.running() as agent:
        response = agent.http.get("/metrics")
    assert response.status_code == 200
    assert response.text.startswith("# Prometheus backend not enabled")
    assert len(response.text.splitlines()) == 1


def test_metrics_count_turns_and_tokens_exactly(agent: Running) -> None:
    before = agent.metrics()
    assert not [name for name in before if "tokens_input" in name]
    answers = [agent.say(f"hello big world {number}").json()["response"] for number in range(3)]
    after = agent.metrics()
    assert agent.http.get("/metrics").headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert after["zeroclaw_agent_starts_total" + LABELS] == 3
    assert after['zeroclaw_llm_requests_total{model="echo",model_provider="custom.main",success="true"}'] == 3
    assert after["zeroclaw_tokens_output_total" + LABELS] == sum(len(answer.split()) for answer in answers)
    assert after["zeroclaw_tokens_input_total" + LABELS] > 0
    assert after["zeroclaw_agent_duration_seconds_count" + LABELS] == 3
    assert after["zeroclaw_request_latency_seconds_count"] == 3
    assert after["zeroclaw_tokens_used_last"] > 0


async def test_the_platform_s_client_reads_channels_and_devices_and_is_answered(home: Home) -> None:
    """A type that neither program has built in, switched on and off: the one form that both show."""
    home.write("config.toml", home.text + "[channels.wechat.main]\nenabled = true\n[channels.wechat.off]\nenabled = false\n")
    with home.running() as agent:
        agent.pair(agent.code(), "192.0.2.9")
        async with Gateway() as gateway:
            on, off = await gateway.channels(at(agent.home.port), TOKEN)
            devices = await gateway.devices(at(agent.home.port), TOKEN)
            said = await gateway.say(at(agent.home.port), TOKEN, "hello wörld")
            paired = next(device for device in devices if not device.is_legacy)
            await gateway.revoke(at(agent.home.port), TOKEN, paired.id)
            with pytest.raises(NotFound):
                await gateway.revoke(at(agent.home.port), TOKEN, paired.id)
            left = await gateway.devices(at(agent.home.port), TOKEN)
    assert [(row.name, row.kind, row.is_compiled, row.is_enabled, row.error) for row in (on, off)] == [
        ("wechat.main", "wechat", False, True, None),
        ("wechat.off", "wechat", False, False, None),
    ]
    assert (on.is_ready, on.restarts, on.status) == (None, 0, "not_compiled")
    assert [device.is_legacy for device in left] == [True]
    assert (paired.address, len(devices)) == ("192.0.2.9", 2)
    assert said.text.endswith("hello wörld")


async def test_a_token_that_was_revoked_is_told_to_the_platform(agent: Running) -> None:
    """By a paired person, who is the full operator of the agent: the platform's own token."""
    bearer = agent.pair(agent.code(), "192.0.2.9").json()["token"]
    rows = agent.ask("GET", "/api/devices").json()["devices"]
    own = next(row["id"] for row in rows if row["device_type"] == "legacy")
    assert agent.ask("DELETE", f"/api/devices/{own}", bearer=bearer).status_code == 200
    async with Gateway() as gateway:
        for ask in (gateway.initiate_pairing, gateway.devices, gateway.channels):
            with pytest.raises(Unavailable) as caught:
                await ask(at(agent.home.port), TOKEN)
            assert caught.value.code == "agent.rejected_token"
    assert agent.home.tokens() == (token_hash(bearer),)


# Bearer


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/status"),
        ("GET", "/api/health"),
        ("GET", "/api/channels"),
        ("GET", "/api/devices"),
        ("DELETE", "/api/devices/x"),
        ("POST", "/api/devices/x/token/rotate"),
        ("POST", "/api/pairing/initiate"),
        ("POST", "/webhook"),
    ],
)
@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer zc_wrong",
        f"bearer {TOKEN}",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN.upper()}",
        f"Bearer {token_hash(TOKEN)}",
    ],
)
def test_without_the_token_nothing_is_told(shared: Running, client: str, method: str, path: str, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    response = shared.ask(method, path, bearer=None, client=client, headers=headers, json={"message": "x"})
    assert response.status_code == 401
    assert response.json() == {"error": "Unauthorized — pair first via POST /pair, then send Authorization: Bearer <token>"}


def test_status_names_version_and_model(shared: Running) -> None:
    body = shared.ask("GET", "/api/status").json()
    assert is_supported(parse(body["version"]))
    assert (body["model_provider"], body["model"], body["paired"]) == ("custom.main", "echo", True)
    assert (body["gateway_port"], body["check_updates"], body["allow_self_upgrade"]) == (shared.home.port, False, False)
    assert set(body) >= {"uptime_seconds", "daemon_started_at", "health", "channels", "process", "restart_mode"}


def test_health_for_its_owner_has_the_last_error(shared: Running) -> None:
    components = shared.ask("GET", "/api/health").json()["health"]["components"]
    assert all(component["last_error"] is None for component in components.values())


def test_channels_of_a_fresh_tenant_are_none(shared: Running) -> None:
    assert shared.ask("GET", "/api/channels").json() == {"channels": []}


def test_a_channel_that_is_not_compiled_in_is_said_so(home: Home) -> None:
    home.write("config.toml", home.text + "[channels.wechat.main]\nenabled = true\n")
    with home.running() as agent:
        (row,) = agent.ask("GET", "/api/channels").json()["channels"]
    assert {name: row[name] for name in ("name", "type", "alias", "compiled", "enabled", "status", "health", "message_count")} == {
        "name": "wechat.main",
        "type": "wechat",
        "alias": "main",
        "compiled": False,
        "enabled": True,
        "status": "not_compiled",
        "health": "unavailable",
        "message_count": 0,
    }


# Pairing


def test_a_code_gives_a_token_that_survives_a_restart(home: Home, client: str) -> None:
    with home.running() as agent:
        code = agent.code()
        assert re.fullmatch(r"[0-9A-Za-z]{32}", code)
        answer = agent.pair(code, client)
        assert answer.status_code == 200
        body = answer.json()
        assert set(body) == {"message", "paired", "persisted", "token"}
        assert (body["paired"], body["persisted"]) == (True, True)
        assert re.fullmatch(r"zc_[0-9a-f]{64}", body["token"])
        assert agent.ask("GET", "/api/channels", bearer=body["token"]).status_code == 200
        assert agent.stop() == 0
    assert home.tokens() == tuple(sorted([token_hash(TOKEN), token_hash(body["token"])]))
    assert all(value.startswith("enc2:") for value in tomllib.loads(home.text)["gateway"]["paired_tokens"])
    with home.running() as agent:
        for token in (TOKEN, body["token"]):
            assert agent.ask("GET", "/api/channels", bearer=token).status_code == 200


def test_saving_leaves_one_private_file_and_what_else_was_in_it(home: Home, client: str) -> None:
    before = tomllib.loads(home.text)
    with home.running() as agent:
        agent.pair(agent.code(), client)
        after = tomllib.loads(home.text)
        files = sorted(path.name for path in home.path.iterdir() if path.is_file())
    before["gateway"].pop("paired_tokens")
    after["gateway"].pop("paired_tokens")
    assert after == before
    assert files == [".secret_key", "config.toml"]
    assert stat.S_IMODE(home.file.stat().st_mode) == 0o600


def test_saving_names_the_tools_when_they_were_not(home: Home, client: str) -> None:
    home.change(r'\[tools\]\noptional = \[\s*"\*",?\s*\]\n', "")
    with home.running() as agent:
        assert agent.pair(agent.code(), client).status_code == 200
    assert tomllib.loads(home.text)["tools"] == {"optional": ["*"]}


def test_a_code_is_good_once(shared: Running, client: str) -> None:
    code = shared.code()
    assert shared.pair(code, client).status_code == 200
    again = shared.pair(code, client)
    assert (again.status_code, again.json()) == (403, {"error": "Invalid pairing code"})


def test_a_new_code_ends_the_one_before(shared: Running, client: str) -> None:
    first, second = shared.code(), shared.code()
    assert shared.pair(first, client).status_code == 403
    assert shared.pair(second, client).status_code == 200


def test_a_code_has_upper_and_lower_case(shared: Running, client: str) -> None:
    code = shared.code()
    assert shared.pair(code.swapcase(), client).status_code == 403
    assert shared.pair(code, client).status_code == 200


def test_the_open_path_never_tells_the_code(shared: Running) -> None:
    shared.code()
    response = shared.ask("GET", "/pair/code", bearer=None)
    assert response.json() == {"success": True, "pairing_required": True, "pairing_code": None}


def test_a_device_is_listed_under_its_name_and_can_be_revoked(agent: Running, client: str) -> None:
    (legacy,) = agent.ask("GET", "/api/devices").json()["devices"]
    assert (legacy["name"], legacy["device_type"], legacy["ip_address"]) == (None, "legacy", None)
    body = {"code": agent.code(), "device_name": "my phone", "device_type": "mobile"}
    paired = agent.ask("POST", "/api/pair", bearer=None, client=client, json=body).json()
    assert (paired["paired"], paired["persisted"], paired["message"]) == (True, True, "Pairing successful")
    listed = agent.ask("GET", "/api/devices").json()
    assert listed["count"] == 2
    (phone,) = [device for device in listed["devices"] if device["name"] == "my phone"]
    assert set(phone) == {"id", "name", "device_type", "paired_at", "last_seen", "ip_address"}
    assert (phone["device_type"], phone["ip_address"]) == ("mobile", client)
    assert agent.ask("DELETE", f"/api/devices/{phone['id']}").status_code == 200
    assert agent.ask("GET", "/api/channels", bearer=paired["token"]).status_code == 401
    assert agent.home.tokens() == (token_hash(TOKEN),)
    assert agent.ask("DELETE", f"/api/devices/{phone['id']}").status_code == 404


def test_a_tenant_can_shut_the_platform_out(agent: Running) -> None:
    (own,) = agent.ask("GET", "/api/devices").json()["devices"]
    answer = agent.ask("POST", f"/api/devices/{own['id']}/token/rotate").json()
    assert re.fullmatch(r"[0-9A-Za-z]{32}", answer["pairing_code"])
    assert agent.ask("GET", "/api/channels").status_code == 401
    assert agent.home.tokens() == ()


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b'{"code":"x"}', "application/json", 400),
        (b"{}", "application/json; charset=utf-8", 400),
        (b'{"code":5}', "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b'{"code":"x"}', "text/plain", 415),
        (b"", "application/json", 400),
    ],
)
def test_pairing_refuses_bad_bodies(shared: Running, client: str, content: bytes, kind: str, status: int) -> None:
    response = shared.ask("POST", "/api/pair", bearer=None, client=client, content=content, headers={"Content-Type": kind})
    assert response.status_code == status


def test_a_token_that_can_not_be_saved_is_taken_back(agent: Running, client: str) -> None:
    before = agent.home.text
    # A directory in the place of the backup copy stops the save, for root too.
    (agent.home.path / "config.toml.bak").mkdir()
    first = agent.pair(agent.code(), client)
    second = agent.ask("POST", "/api/pair", bearer=None, client=client, json={"code": agent.code()})
    for answer in (first, second):
        assert answer.status_code == 500
        assert (answer.json()["paired"], answer.json()["persisted"]) == (False, False)
        assert "token" not in answer.json()
        assert answer.json()["error"].startswith("Token persistence error")
    assert agent.home.text == before
    (agent.home.path / "config.toml.bak").rmdir()
    assert agent.pair(agent.code(), client).status_code == 200
    assert len(agent.home.tokens()) == 2


def test_pairing_switched_off_opens_everything(home: Home) -> None:
    home.gateway(require_pairing=False)
    with home.running() as agent:
        assert agent.ask("GET", "/health", bearer=None).json()["require_pairing"] is False
        assert agent.ask("GET", "/api/channels", bearer=None).status_code == 200
        refused = agent.ask("POST", "/api/pairing/initiate")
    assert (refused.status_code, refused.text) == (503, "Pairing is disabled or not available")


# Limits


def test_five_wrong_codes_lock_one_client_out(shared: Running, client: str, new_client: Callable[[], str]) -> None:
    code = shared.code()
    assert [shared.pair("x", client).status_code for _ in range(5)] == [403] * 5
    locked = shared.pair(code, client)
    assert locked.status_code == 429
    assert 290 <= locked.json()["retry_after"] <= 300
    other = shared.ask("POST", "/api/pair", bearer=None, client=client, json={"code": code})
    assert (other.status_code, other.json()["paired"]) == (429, False)
    assert shared.pair(code, new_client()).status_code == 200


def test_ten_wrong_tokens_lock_one_client_out(shared: Running, client: str, new_client: Callable[[], str]) -> None:
    assert [shared.say("x", bearer="wrong", client=client).status_code for _ in range(10)] == [401] * 10
    locked = shared.say("x", client=client)
    assert locked.status_code == 429
    assert locked.json()["retry_after"] == 300
    assert shared.pair("x", client).status_code == 429
    assert shared.say("x", client=new_client()).status_code == 200


def test_requests_a_minute_are_limited(home: Home, client: str, new_client: Callable[[], str]) -> None:
    home.gateway(webhook_rate_limit_per_minute=2, pair_rate_limit_per_minute=2)
    with home.running() as agent:
        assert [agent.say("x", client=client).status_code for _ in range(3)] == [200, 200, 429]
        assert [agent.pair("x", client).status_code for _ in range(2)] == [403, 403]
        limited = agent.ask("POST", "/api/pair", bearer=None, client=client, json={"code": "x"})
        assert (limited.status_code, limited.json()["retry_after"]) == (429, 60)
        assert agent.say("x", client=new_client()).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "{}, 10.0.0.1"},
        {"X-Forwarded-For": "unknown, {}"},
        {"X-Forwarded-For": '"{}:1234"'},
        {"X-Real-IP": "{}"},
        {"X-Forwarded-For": "{}", "X-Real-IP": "192.0.2.1"},
    ],
)
def test_the_client_is_the_first_address_of_the_proxy_s_headers(agent: Running, client: str, headers: Mapping[str, str]) -> None:
    named = {name: value.format(client) for name, value in headers.items()}
    for _ in range(5):
        agent.ask("POST", "/pair", bearer=None, headers={"X-Pairing-Code": "x"}, client=client)
    assert agent.ask("POST", "/pair", bearer=None, headers={"X-Pairing-Code": "x", **named}).status_code == 429


def test_without_trust_in_headers_all_clients_are_one(home: Home, new_client: Callable[[], str]) -> None:
    home.gateway(trust_forwarded_headers=False)
    with home.running() as agent:
        assert [agent.pair("x", new_client()).status_code for _ in range(6)] == [403] * 5 + [429]


def test_a_body_above_64_kib_is_refused(shared: Running, client: str) -> None:
    overhead = len(json.dumps({"message": ""}))
    whole = json.dumps({"message": "a" * (65_536 - overhead)}).encode()
    headers = {"Content-Type": "application/json"}
    assert shared.ask("POST", "/webhook", client=client, content=whole, headers=headers).status_code == 200
    over = shared.ask("POST", "/webhook", client=client, content=whole + b" ", headers=headers)
    assert (over.status_code, over.text) == (413, "length limit exceeded")


def test_a_body_in_chunks_is_limited_too(shared: Running, client: str) -> None:
    def chunks(count: int) -> Any:
        yield b'{"message":"'
        yield from (b"a" * 1_000 for _ in range(count))
        yield b'"}'

    headers = {"Content-Type": "application/json"}
    assert shared.ask("POST", "/webhook", client=client, content=chunks(3), headers=headers).status_code == 200
    assert shared.ask("POST", "/webhook", client=client, content=chunks(70), headers=headers).status_code in (400, 413)


# Conversation over HTTP


@pytest.mark.parametrize("path", ["/webhook", "/webhook?agent=main", "/webhook?agent=%20"])
def test_a_message_is_answered_by_the_model(shared: Running, client: str, path: str) -> None:
    response = shared.say("hello big world", path=path, client=client)
    assert response.status_code == 200
    assert set(response.json()) == {"model", "response"}
    assert response.json()["model"] == "echo"
    assert response.json()["response"].startswith("echo: ")
    assert response.json()["response"].endswith("hello big world")


def test_an_unknown_agent_is_400(shared: Running, client: str) -> None:
    response = shared.say("x", path="/webhook?agent=nobody", client=client)
    assert response.status_code == 400
    assert response.json()["error"].startswith("Unknown agent `nobody`")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"message":', "application/json"),
        (b'{"message":5}', "application/json"),
        (b"{}", "application/json"),
        (b"[]", "application/json"),
        (b"", "application/json"),
        (b'{"message":"x","stream":"yes"}', "application/json"),
        (b'{"message":"x"}', "text/plain"),
    ],
)
def test_a_bad_body_is_400(shared: Running, client: str, content: bytes, kind: str) -> None:
    response = shared.ask("POST", "/webhook", client=client, content=content, headers={"Content-Type": kind})
    assert (response.status_code, response.json()) == (400, {"error": 'Invalid JSON body. Expected: {"message": "..."}'})


def test_an_idempotency_key_is_good_once(shared: Running, client: str) -> None:
    headers = {"X-Idempotency-Key": f"key-{client}"}
    assert "response" in shared.say("x", client=client, headers=headers).json()
    again = shared.say("x", client=client, headers=headers)
    assert again.status_code == 200
    assert (again.json()["status"], again.json()["idempotent"]) == ("duplicate", True)


def test_an_answer_can_be_streamed(shared: Running, client: str) -> None:
    headers = {"Accept": "text/event-stream"}
    response = shared.ask("POST", "/webhook", client=client, headers=headers, json={"message": "hello world", "stream": True})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream"
    frames = [dict(line.split(": ", 1) for line in frame.split("\n")) for frame in response.text.strip().split("\n\n")]
    assert frames[-1] == {"event": "done", "data": "{}"}
    assert frames[-2]["event"] == "token"
    assert json.loads(frames[-2]["data"])["text"].endswith("hello world")


def test_without_a_provider_it_asks_for_one(home: Home) -> None:
    home.change(r"(?s)\[providers.*?\[risk", "[risk")
    with home.running() as agent:
        response = agent.say("x")
        assert (response.status_code, response.json()) == (503, {"error": "needs_quickstart", "url": "/quickstart"})
        assert agent.ask("GET", "/health", bearer=None).json()["status"] == "ok"


@pytest.mark.parametrize("fault", ["bad key", "nothing there"])
def test_a_provider_that_fails_is_500_and_counted(home: Home, fault: str) -> None:
    if fault == "bad key":
        home.change('api_key = "[^"]*"', f'api_key = "{seal(KEY, "bad-key")}"')
    else:
        home.change('uri = "[^"]*"', 'uri = "http://127.0.0.1:1/v1"')
    with home.running() as agent:
        response = agent.say("x")
        metrics = agent.metrics()
    assert (response.status_code, response.json()) == (500, {"error": "LLM request failed"})
    assert metrics['zeroclaw_llm_requests_total{model="echo",model_provider="custom.main",success="false"}'] == 1
    assert metrics["zeroclaw_agent_starts_total" + LABELS] == 1
    assert metrics['zeroclaw_errors_total{component="gateway"}'] == 1
    assert not [name for name in metrics if "tokens_input" in name]


# Conversation over a WebSocket


def talk(agent: Running, query: str, **options: Any) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{agent.home.port}/ws/chat{query}", proxy=None, **options)


def said(socket: ClientConnection, frame: object) -> list[dict[str, Any]]:
    """What is answered, up to the frame that ends a turn."""
    socket.send(frame if isinstance(frame, str) else json.dumps(frame))
    frames: list[dict[str, Any]] = []
    while not frames or frames[-1]["type"] not in ("done", "error", "connected"):
        frames.append(json.loads(socket.recv(10)))
    return frames


@pytest.mark.parametrize("way", ["header", "sub-protocol", "query"])
def test_a_conversation(shared: Running, way: str) -> None:
    options: dict[str, Any] = {}
    query = "?agent=main"
    if way == "header":
        options["additional_headers"] = {"Authorization": f"Bearer {TOKEN}"}
    elif way == "sub-protocol":
        options["subprotocols"] = [Subprotocol("zeroclaw.v1"), Subprotocol(f"bearer.{TOKEN}")]
    else:
        query += f"&token={TOKEN}&session_id=abc&name=Mine"
    with talk(shared, query, **options) as socket:
        assert socket.subprotocol == ("zeroclaw.v1" if way == "sub-protocol" else None)
        start = json.loads(socket.recv(10))
        assert (start["type"], start["resumed"], start["message_count"]) == ("session_start", False, 0)
        assert start.get("name") == ("Mine" if way == "query" else None)
        assert start["session_id"] == "abc" if way == "query" else len(start["session_id"]) == 36
        assert said(socket, {"type": "connect"}) == [{"type": "connected", "message": "Connection established"}]
        for words in ("hello big world", "again"):
            frames = said(socket, {"type": "message", "content": words})
            text = "".join(frame["content"] for frame in frames if frame["type"] == "chunk")
            done = frames[-1]
            assert done["type"] == "done"
            assert text == done["full_response"]
            assert text.endswith(words)
            assert done["output_tokens"] == len(text.split())
            assert done["tokens_used"] == done["input_tokens"] + done["output_tokens"]
            assert (done["model"], done["provider"]) == ("echo", "custom.main")


def test_mistakes_in_a_conversation_are_told_and_do_not_end_it(shared: Running) -> None:
    with talk(shared, f"?agent=main&token={TOKEN}") as socket:
        socket.recv(10)
        said(socket, {"type": "connect"})
        for frame, code in (
            ("{", "INVALID_JSON"),
            ({"type": "foo"}, "UNKNOWN_MESSAGE_TYPE"),
            ([], "UNKNOWN_MESSAGE_TYPE"),
            ({"type": "message", "content": ""}, "EMPTY_CONTENT"),
            ({"type": "message"}, "EMPTY_CONTENT"),
            ({"type": "approval_response"}, "INVALID_APPROVAL_RESPONSE"),
        ):
            assert said(socket, frame)[-1]["code"] == code
        assert said(socket, {"type": "message", "content": "still here"})[-1]["type"] == "done"


def test_a_provider_that_fails_is_told_in_the_conversation(home: Home) -> None:
    home.change('api_key = "[^"]*"', f'api_key = "{seal(KEY, "bad-key")}"')
    with home.running() as agent, talk(agent, f"?agent=main&token={TOKEN}") as socket:
        socket.recv(10)
        error = said(socket, {"type": "message", "content": "x"})[-1]
    assert (error["type"], error["code"]) == ("error", "PROVIDER_ERROR")
    assert "rejected its credentials" in error["message"]
    assert "bad-key" not in error["message"]


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("?agent=main", {}, 401),
        ("?agent=main&token=wrong", {}, 401),
        ("?agent=main", {"Authorization": f"bearer {TOKEN}"}, 401),
        (f"?token={TOKEN}", {}, 400),
        (f"?agent=nobody&token={TOKEN}", {}, 400),
    ],
)
def test_a_conversation_needs_token_and_agent(shared: Running, query: str, headers: dict[str, str], status: int) -> None:
    with pytest.raises(InvalidStatus) as caught:
        talk(shared, query, additional_headers=headers)
    assert caught.value.response.status_code == status


# The demo's own tools


def test_the_model_s_stand_in_refuses_what_it_does_not_know(model: str) -> None:
    import httpx2

    with httpx2.Client(trust_env=False) as http:
        assert [row["id"] for row in http.get(f"{model}/models").json()["data"]] == ["echo"]
        assert http.post(f"{model}/chat/completions", content=b"[]").status_code == 400
        assert http.post(f"{model}/nosuch").status_code == 404
        assert http.get(f"{model}/models", headers={"Authorization": "Bearer bad-1"}).status_code == 401
