"""One real agent with channels, on this machine's loopback address, configured as the platform configures it: settings in, files out."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from tests.agent_channels.model import Model
from tests.contract.rig import KEY, TOKEN, Home, Program, Running
from tests.live.waiting import wait_until
from zcplatform.agent import hooks
from zcplatform.agent.agent_settings import AgentSettings, parse
from zcplatform.agent.agent_state import AgentState
from zcplatform.agent.policy import Policy, environment
from zcplatform.agent.rendering import document
from zcplatform.agent.sealed import seal, token_hash
from zcplatform.agent.validation import problems
from zcplatform.agent.workspace import workspace_files

ANSWER_S = 20
_HERE = ("ZEROCLAW_gateway__host", "ZEROCLAW_gateway__port")
LISTENER_PORT = hooks.FIRST_PORT
"""What the platform gives to the first channel that listens by itself."""


@dataclass(frozen=True)
class Channel:
    name: str
    """`type.alias`."""
    options: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict)
    peers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """What all agents of a run have in common."""

    program: Path
    model: Model
    address: str


@dataclass
class Configured(Home):
    pinned: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The gateway stands on loopback here, and not on all addresses of a container."""
        return {**super().environment(), **{name: value for name, value in self.pinned.items() if name not in _HERE}}


@contextmanager
def talking(place: Place, folder: Path, *channels: Channel) -> Iterator[Running]:
    """The agent while it runs. What a person could not save is refused here as it would be then."""
    settings, secrets = _settings(place, channels), _secrets(channels)
    found = problems(settings, Policy(), frozenset(secrets))
    assert found == {}, found
    home = Configured(folder, Program("real", (str(place.program),)), pinned=environment(settings, Policy()))
    for name in ("data", "agents", "shared", "state"):
        (folder / name).mkdir(mode=0o700)
    home.write(".secret_key", KEY.hex())
    written = document(settings, secrets, Policy(), AgentState((token_hash(TOKEN),)), lambda value: seal(KEY, value))
    written["gateway"].update(host="127.0.0.1", port=home.port)
    home.write("config.toml", tomli_w.dumps(written))
    assert not [value for value in secrets.values() if value in home.text], "a secret is in clear"
    for path, text in workspace_files(settings).items():
        if text:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8")
    with home.running() as running:
        try:
            yield running
        except BaseException:
            print("".join(running.lines[-80:]))  # noqa: T201  what the agent said, beside the failure
            raise


def _settings(place: Place, channels: tuple[Channel, ...]) -> AgentSettings:
    return parse(
        {
            "providers": {"main": {"family": "custom", "model": "echo", "base_url": place.address, "auth": "none"}},
            "channels": {one.name: {"peers": list(one.peers), "options": dict(one.options)} for one in channels},
            "risk": {"auto_approve": ["memory_recall", "send_via"]},
        }
    )


def _secrets(channels: tuple[Channel, ...]) -> dict[str, str]:
    return {f"channels.{one.name}.{name}": value for one in channels for name, value in one.secrets.items()}


def wait_for_line(agent: Running, words: str) -> None:
    wait_until(lambda: any(words in line for line in agent.lines), ANSWER_S, f"the agent says {words!r}")


def component(agent: Running, name: str) -> dict[str, Any]:
    return dict(agent.ask("GET", "/api/health").json()["health"]["components"].get(name, {}))
