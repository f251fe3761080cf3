"""The agent's `config.toml`: written from a typed model, and read back for what the agent itself put there.

Writing: every key is chosen here, every secret goes through `seal`, values are escaped by the TOML writer; a value can not become a key.
Reading back: the file may have been rewritten by the agent, or by a tenant who owns it, and is hostile.
"""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import tomli_w

from zcplatform.agent.providers import Key, Uri, family
from zcplatform.agent.sealed import PREFIX, token_hash
from zcplatform.errors import BadInput

GATEWAY_PORT = 42617
AGENT = "main"

_PROFILE = "tenant"
_ALIAS = re.compile(r"[a-z0-9](?:_?[a-z0-9])*")
_HASH = re.compile(r"[0-9a-f]{64}")
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'')

LONGEST_FILE = 262_144
MOST_TOKENS = 256
_MOST_DOTS = 1_000_000


class NotReadable(ValueError):
    """The configuration file can not be read back; the message says why."""


@dataclass(frozen=True)
class Provider:
    family: str
    model: str
    uri: str | None = None
    api_key: str | None = field(default=None, repr=False)
    alias: str = "main"

    @property
    def name(self) -> str:
        return f"{self.family}.{self.alias}"


@dataclass(frozen=True)
class AgentConfig:
    provider: Provider | None = None
    paired_tokens: tuple[str, ...] = ()
    """SHA-256 of each token, hex."""


def check(provider: Provider) -> None:
    """Raises BadInput naming the field that the agent could not use."""
    known = family(provider.family)
    if not is_alias(provider.alias):
        raise _bad("alias", "must be 1 to 63 of a-z, 0-9 and single underscores inside")
    if not provider.model.strip() or not _is_text(provider.model):
        raise _bad("model", "must be the name of a model")
    if known.uri is Uri.NEEDED and not provider.uri:
        raise _bad("uri", f"{known.label} needs the address of the service")
    if known.uri is Uri.IGNORED and provider.uri:
        raise _bad("uri", f"{known.label} always talks to its own host; use `custom` for another address")
    if provider.uri and not _is_http(provider.uri):
        raise _bad("uri", "must be an http or https address")
    if known.key is Key.REQUIRED and not provider.api_key:
        raise _bad("api_key", f"{known.label} needs a key")
    if known.key is Key.NONE and provider.api_key:
        raise _bad("api_key", f"{known.label} takes no key")
    if provider.api_key and not _is_text(provider.api_key):
        raise _bad("api_key", "is not text")


def is_alias(name: str) -> bool:
    """What the agent accepts as the name of a provider, channel, agent, profile or group."""
    return len(name) <= 63 and _ALIAS.fullmatch(name) is not None


def document(config: AgentConfig, seal: Callable[[str], str]) -> dict[str, Any]:
    """The whole configuration as a mapping, nothing the agent's defaults could weaken left out."""
    providers: dict[str, Any] = {}
    agents: dict[str, Any] = {}
    if config.provider is not None:
        check(config.provider)
        providers = {"models": {config.provider.family: {config.provider.alias: _entry(config.provider, seal)}}}
        agents = {AGENT: {"model_provider": config.provider.name, "risk_profile": _PROFILE, "runtime_profile": _PROFILE}}
    if not all(_HASH.fullmatch(token) for token in config.paired_tokens):
        raise _bad("paired_tokens", "must be SHA-256 hashes in lower-case hexadecimal")
    return {
        "schema_version": 3,
        "tools": {"optional": ["*"]},
        **({"providers": providers} if providers else {}),
        **({"agents": agents} if agents else {}),
        "risk_profiles": {_PROFILE: {"level": "supervised"}},
        "runtime_profiles": {_PROFILE: {"max_actions_per_hour": 200}},
        "gateway": {
            # Inside the container; it is published on the loopback address of the host only.
            "host": "0.0.0.0",  # noqa: S104
            "port": GATEWAY_PORT,
            "allow_public_bind": True,
            "require_pairing": True,
            "paired_tokens": [seal(token) for token in config.paired_tokens],
            "trust_forwarded_headers": True,
            "request_timeout_secs": 300,
            "check_updates": False,
            "allow_self_upgrade": False,
        },
        "observability": {"backend": "prometheus"},
    }


def render(config: AgentConfig, seal: Callable[[str], str]) -> str:
    return tomli_w.dumps(document(config, seal))


def _entry(provider: Provider, seal: Callable[[str], str]) -> dict[str, str]:
    entry = {"model": provider.model}
    if provider.uri:
        entry["uri"] = provider.uri
    if provider.api_key:
        entry["api_key"] = seal(provider.api_key)
    return entry


def _is_text(value: str) -> bool:
    """A lone surrogate can not be written as UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _is_http(uri: str) -> bool:
    if not _is_text(uri) or any(character <= " " or character == "\x7f" for character in uri):
        return False
    try:
        parts = urlsplit(uri)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def _bad(name: str, why: str) -> BadInput:
    return BadInput(f"provider.bad_{name}", f"`{name}` {why}", fields={name: why})


def read_back(text: str, unseal: Callable[[str], str]) -> tuple[str, ...]:
    """The hashes of the paired tokens, sorted. Raises NotReadable and nothing else."""
    gateway = parse(text).get("gateway", {})
    tokens = gateway.get("paired_tokens", []) if isinstance(gateway, dict) else None
    if not isinstance(tokens, list) or len(tokens) > MOST_TOKENS:
        raise NotReadable("gateway.paired_tokens is not a list of tokens")
    return tuple(sorted({_hash(token, unseal) for token in tokens}))


def parse(text: str) -> dict[str, Any]:
    """A file of the tenant's. Raises NotReadable and nothing else, and does not take long."""
    if len(text) > LONGEST_FILE:
        raise NotReadable(f"the file is longer than {LONGEST_FILE} characters")
    if sum(_dots(line) ** 2 for line in text.split("\n")) > _MOST_DOTS:
        raise NotReadable("the file holds keys of too many parts")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotReadable(f"the file is not TOML: {str(error)[:200]}") from None


def _dots(line: str) -> int:
    """The parser's time grows with the square of the parts of a dotted key: one of 250 kB would hold the worker for minutes.

    Dots in quotes are no parts; next to the end of a multi-line text it can not be told which quotes belong together, so all count.
    """
    if '"""' in line or "'''" in line:
        return line.count(".")
    return _QUOTED.sub("", line).count(".")


def _hash(token: object, unseal: Callable[[str], str]) -> str:
    """As the agent takes an element: sealed or not, a hash or the token itself."""
    if not isinstance(token, str) or not _is_text(token):
        raise NotReadable("gateway.paired_tokens holds something else than text")
    try:
        plain = unseal(token) if token.startswith(PREFIX) else token
    except ValueError as error:
        raise NotReadable(f"a value of gateway.paired_tokens can not be opened: {error}") from None
    return plain if _HASH.fullmatch(plain) else token_hash(plain)
