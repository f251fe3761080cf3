"""One real agent with channels, on this machine's loopback address."""

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from tests.agent_channels.model import Model
from tests.contract.rig import KEY, Home, Program, Running
from tests.live.waiting import wait_until
from zcplatform.agent.render import Provider
from zcplatform.agent.sealed import seal

ANSWER_S = 20


@dataclass(frozen=True)
class Channel:
    name: str
    """`type.alias`."""
    fields: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict)
    peers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """What all agents of a run have in common."""

    program: Path
    model: Model
    address: str


@contextmanager
def talking(place: Place, folder: Path, *channels: Channel, procedures: Mapping[str, Mapping[str, Any]] | None = None) -> Iterator[Running]:
    """The agent while it runs. `procedures`: the triggers of those that answer what no chat can."""
    home = Home(folder, Program("real", (str(place.program),)))
    home.prepare(Provider("custom", "echo", uri=place.address, api_key="sk-test"))
    home.write("config.toml", tomli_w.dumps(_document(tomllib.loads(home.text), channels, with_procedures=bool(procedures))))
    for name, trigger in (procedures or {}).items():
        _write_procedure(folder / "shared" / "sops" / name, name, trigger)
    with home.running() as running:
        try:
            yield running
        except BaseException:
            print("".join(running.lines[-80:]))  # noqa: T201  what the agent said, beside the failure
            raise


def _document(document: dict[str, Any], channels: tuple[Channel, ...], *, with_procedures: bool) -> dict[str, Any]:
    tables: dict[str, dict[str, Any]] = {}
    groups: dict[str, Any] = {}
    for channel in channels:
        kind, alias = channel.name.split(".")
        sealed = {name: seal(KEY, value) for name, value in channel.secrets.items()}
        tables.setdefault(kind, {})[alias] = {"enabled": True, **channel.fields, **sealed}
        groups[f"{kind}_{alias}"] = {"channel": channel.name, "external_peers": list(channel.peers), "agents": ["main"]}
    document["agents"]["main"]["channels"] = [channel.name for channel in channels]
    document["risk_profiles"]["tenant"]["auto_approve"] = ["memory_recall", "send_via"]
    if with_procedures:
        document["sop"] = {"sops_dir": "shared/sops"}
    return {**document, "channels": tables, "peer_groups": groups}


def _write_procedure(folder: Path, name: str, trigger: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True)
    head = {"name": name, "description": "Answers what arrives", "version": "1.0.0", "execution_mode": "auto", "agent": "main"}
    steps = [{"number": 1, "title": "Answer", "body": "Answer the message that arrived.", "kind": "execute"}]
    (folder / "SOP.toml").write_text(tomli_w.dumps({"sop": {**head, "max_concurrent": 4}, "triggers": [dict(trigger)], "steps": steps}))


def wait_for_line(agent: Running, words: str) -> None:
    wait_until(lambda: any(words in line for line in agent.lines), ANSWER_S, f"the agent says {words!r}:\n{''.join(agent.lines[-30:])}")


def component(agent: Running, name: str) -> dict[str, Any]:
    return dict(agent.ask("GET", "/api/health").json()["health"]["components"].get(name, {}))
