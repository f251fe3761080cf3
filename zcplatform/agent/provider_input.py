"""A provider with its key, whole, as it is tested before or after it is saved."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from zcplatform.agent.providers import Key, Uri, family
from zcplatform.errors import BadInput

_ALIAS = re.compile(r"[a-z0-9](?:_?[a-z0-9])*")


@dataclass(frozen=True)
class ProviderWithKey:
    family: str
    model: str
    uri: str | None = None
    api_key: str | None = field(default=None, repr=False)
    alias: str = "main"

    @property
    def name(self) -> str:
        return f"{self.family}.{self.alias}"


def check(provider: ProviderWithKey) -> None:
    """Raises BadInput naming the field that the agent could not use."""
    known = family(provider.family)
    if not is_alias(provider.alias):
        raise _bad("alias", "must be 1 to 63 of a-z, 0-9 and single underscores inside")
    if not provider.model.strip() or not is_text(provider.model):
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
    if provider.api_key and not is_text(provider.api_key):
        raise _bad("api_key", "is not text")


def is_alias(name: str) -> bool:
    """What the agent accepts as the name of a provider, channel, agent, profile or group."""
    return len(name) <= 63 and _ALIAS.fullmatch(name) is not None


def is_text(value: str) -> bool:
    """A lone surrogate can not be written as UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _is_http(uri: str) -> bool:
    if not is_text(uri) or any(character <= " " or character == "\x7f" for character in uri):
        return False
    try:
        parts = urlsplit(uri)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def _bad(name: str, why: str) -> BadInput:
    return BadInput(f"provider.bad_{name}", f"`{name}` {why}", fields={name: why})
