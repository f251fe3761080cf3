"""How the demo agent reads `config.toml`: what it uses, what it ignores, and what prevents its start, as in the real agent.

Strict where the real one is: a schema above 3, a malformed security section, a secret that does not open. Stricter in one respect: it migrates
nothing, so an older schema is rejected. Any other malformed section falls back to its default with a warning.
"""

import os
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zcplatform.agent.sealed import KEY_BYTES, PREFIX, NotSealed, token_hash, unseal
from zcplatform.demo_agent import channel_fields
from zcplatform.demo_agent.overrides import CannotStart, overridden

SCHEMA = 3
SECURITY_SECTIONS = ("security", "risk_profiles", "peer_groups", "users", "oidc", "permission_profiles")
TRANSPORTS = ("stdio", "http", "sse")
LEVELS = ("readonly", "supervised", "full")


@dataclass(frozen=True)
class ProviderEntry:
    family: str
    alias: str
    model: str = ""
    uri: str = ""
    api_key: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        return f"{self.family}.{self.alias}"


@dataclass(frozen=True)
class Agent:
    alias: str
    enabled: bool = True
    model_provider: str = ""
    risk_profile: str = ""
    runtime_profile: str = ""


@dataclass(frozen=True)
class Gateway:
    host: str = "127.0.0.1"
    port: int = 42617
    require_pairing: bool = True
    paired_tokens: tuple[str, ...] = ()
    trust_forwarded_headers: bool = False
    request_timeout_secs: int = 30
    pair_rate_limit_per_minute: int = 10
    webhook_rate_limit_per_minute: int = 60
    check_updates: bool = True
    allow_self_upgrade: bool = False


@dataclass(frozen=True)
class Config:
    gateway: Gateway = Gateway()
    providers: tuple[ProviderEntry, ...] = ()
    agents: tuple[Agent, ...] = ()
    channels: tuple[tuple[str, str, bool], ...] = ()
    """Type, alias, and whether the channel is enabled, for each channel that could be read."""
    servers: tuple[Mapping[str, Any], ...] = ()
    """The MCP servers in the file. Nothing connects to them."""
    has_metrics: bool = False

    def agent(self, alias: str) -> Agent | None:
        return next((agent for agent in self.agents if agent.alias == alias), None)

    def default_agent(self) -> Agent | None:
        """Without a name: the first one that is enabled."""
        return min((agent for agent in self.agents if agent.enabled), key=lambda agent: agent.alias, default=None)

    def provider_of(self, agent: Agent | None) -> ProviderEntry | None:
        found = (provider for provider in self.providers if agent is not None and provider.name == agent.model_provider)
        return next((provider for provider in found if provider.model), None)


def directory() -> Path:
    named = os.environ.get("ZEROCLAW_CONFIG_DIR", "").strip()
    return Path(named) if named else Path(os.environ.get("HOME", "/")) / ".zeroclaw"


def read_document(path: Path) -> dict[str, Any]:
    """The parsed file. Raises CannotStart if it is not TOML of our schema. A missing file is an empty configuration, as for the real agent."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise CannotStart(f"{path} is not TOML: {error}") from None
    except OSError as error:
        raise CannotStart(f"{path} cannot be read: {error.strerror}") from None
    version = document.get("schema_version")
    if type(version) is not int or version < 1:
        raise CannotStart(f"{path}: schema_version must be {SCHEMA}")
    if version > SCHEMA:
        raise CannotStart(f"config schema_version {version} is newer than this binary supports ({SCHEMA})")
    if version < SCHEMA:
        raise CannotStart(f"config schema_version {version} is older than the demo agent reads ({SCHEMA}); it migrates nothing")
    return document


def load(home: Path, warn: Callable[[str], None]) -> Config:
    document = overridden(read_document(home / "config.toml"), os.environ)
    problem = security_problem(document)
    if problem:
        raise CannotStart(f"{problem}. Refusing to serve with a degraded security posture")
    opener = Opener(home / ".secret_key")
    gateway = _section(document, "gateway", warn)
    try:
        return Config(
            gateway=_gateway(gateway, opener),
            providers=_providers(_section(document, "providers", warn), opener),
            agents=_agents(_section(document, "agents", warn)),
            channels=_channels(_section(document, "channels", warn), opener, warn),
            servers=_servers(_section(document, "mcp", warn), opener),
            has_metrics=_section(document, "observability", warn).get("backend") == "prometheus",
        )
    except NotSealed as error:
        raise CannotStart(f"Failed to decrypt {opener.current}: {error}") from None


class Opener:
    """Opens sealed values with the key file, which is read at the first sealed value: without any, no key is needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key: bytes | None = None
        self.current = ""

    def open(self, name: str, value: str) -> str:
        self.current = name
        if not value.startswith(PREFIX):
            return value
        if self._key is None:
            self._key = read_key(self._path)
        return unseal(self._key, value)


def read_key(path: Path) -> bytes:
    """Raises NotSealed. A symbolic link is rejected: it could point at another tenant's key."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        raise NotSealed(f"there is no key file {path}; no replacement is made while reading") from None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotSealed(f"{path} is not a file")
        text = file.read(4096)
    try:
        key = bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        raise NotSealed(f"{path} is not hexadecimal") from None
    if len(key) != KEY_BYTES:
        raise NotSealed(f"{path} must contain exactly {KEY_BYTES} bytes (got {len(key)})")
    return key


def security_problem(document: dict[str, Any]) -> str | None:
    """The first malformed security section."""
    for name in SECURITY_SECTIONS:
        section = document.get(name, {})
        if not isinstance(section, dict) or not all(isinstance(entry, dict) for entry in section.values()):
            return f"config section `{name}` is malformed"
    for alias, profile in document.get("risk_profiles", {}).items():
        if profile.get("level", "supervised") not in LEVELS:
            return f"unknown variant {profile['level']!r}, expected one of {', '.join(LEVELS)} in `risk_profiles.{alias}.level`"
    for alias, group in document.get("peer_groups", {}).items():
        peers = group.get("external_peers", [])
        if not isinstance(group.get("channel", ""), str) or not (isinstance(peers, list) and all(isinstance(peer, str) for peer in peers)):
            return f"config section `peer_groups.{alias}` is malformed"
    return None


def malformed(document: dict[str, Any]) -> Mapping[str, str]:
    """The malformed sections other than those of security, with the problem in each. Each falls back to its default."""
    gateway, agents, mcp = (document.get(name, {}) for name in ("gateway", "agents", "mcp"))
    found = {} if isinstance(channels := document.get("channels", {}), dict) else {"channels": "invalid type in `channels`"}
    found |= dict(channel_fields.problems(channels)) if not found else {}
    why = gateway_problem(gateway) if isinstance(gateway, dict) else "invalid type in `gateway`"
    found |= {"gateway": why} if why else {}
    if not isinstance(agents, dict) or not all(_are_texts(entry.get("channels", [])) for _, entry in _entries(agents)):
        found["agents"] = "invalid type in `agents.channels`"
    servers = mcp.get("servers", []) if isinstance(mcp, dict) else None
    if not isinstance(servers, list) or not all(isinstance(one, dict) and one.get("transport", "stdio") in TRANSPORTS for one in servers):
        found["mcp"] = f"invalid value, expected a list of {', '.join(TRANSPORTS)} in `mcp.servers.transport`"
    return found


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _section(document: dict[str, Any], name: str, warn: Callable[[str], None]) -> dict[str, Any]:
    section = document.get(name, {})
    if isinstance(section, dict) and name not in malformed(document):
        return section
    warn(f"config section `{name}` is malformed and was reset to defaults for this run")
    return {}


def gateway_problem(section: dict[str, Any]) -> str | None:
    for name, default in vars(Gateway()).items():
        kind = list if isinstance(default, tuple) else type(default)
        value = section.get(name, kind(default))
        if type(value) is not kind or (isinstance(value, int) and not 0 <= value <= 65_535):
            return f"invalid value in `gateway.{name}`"
    if not all(isinstance(token, str) for token in section.get("paired_tokens", [])):
        return "invalid value in `gateway.paired_tokens`"
    return None


def _gateway(section: dict[str, Any], opener: Opener) -> Gateway:
    if gateway_problem(section):
        return Gateway()
    tokens = [opener.open(f"gateway.paired_tokens[{place}]", token) for place, token in enumerate(section.get("paired_tokens", []))]
    known = {name: section[name] for name in vars(Gateway()) if name in section}
    return Gateway(**{**known, "paired_tokens": tuple(token if is_hash(token) else token_hash(token) for token in tokens if token)})


def is_hash(value: str) -> bool:
    return len(value) == 64 and all(character in "0123456789abcdefABCDEF" for character in value)


def _entries(section: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(alias, entry) for alias, entry in section.items() if isinstance(entry, dict)]


def _text(entry: dict[str, Any], name: str) -> str:
    value = entry.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def _providers(section: dict[str, Any], opener: Opener) -> tuple[ProviderEntry, ...]:
    models = section.get("models", {})
    return tuple(
        ProviderEntry(
            family, alias, _text(entry, "model"), _text(entry, "uri"), opener.open("providers.models.api_key", _text(entry, "api_key"))
        )
        for family, aliases in _entries(models if isinstance(models, dict) else {})
        for alias, entry in _entries(aliases)
    )


def _agents(section: dict[str, Any]) -> tuple[Agent, ...]:
    return tuple(
        Agent(
            alias,
            entry.get("enabled", True) is not False,
            _text(entry, "model_provider"),
            _text(entry, "risk_profile"),
            _text(entry, "runtime_profile"),
        )
        for alias, entry in _entries(section)
    )


def _channels(section: dict[str, Any], opener: Opener, warn: Callable[[str], None]) -> tuple[tuple[str, str, bool], ...]:
    spoiled = dict(channel_fields.problems(section))
    for path in spoiled:
        warn(f"config section `{path}` is malformed and was reset to defaults for this run")
    found = []
    for kind, aliases in _entries({kind: section[kind] for kind in section if kind in channel_fields.types()}):
        for alias, entry in _entries(aliases):
            if f"channels.{kind}.{alias}" not in spoiled:
                for path, value in channel_fields.secrets(kind, entry):
                    opener.open(path, value)
                found.append((kind, alias, entry.get("enabled") is True))
    return tuple(found)


def _servers(section: dict[str, Any], opener: Opener) -> tuple[Mapping[str, Any], ...]:
    for server in section.get("servers", []):
        for name, value in server.get("headers", {}).items():
            opener.open(f"mcp.servers.headers.{name}", str(value))
    return tuple(section.get("servers", ())) if section.get("enabled") is True else ()
