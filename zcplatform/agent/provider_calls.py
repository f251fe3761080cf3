"""How a provider's key is tested: which requests to send, in which order, and what the answers prove. Pure: somebody else sends them.

A list of models that everybody may read proves nothing about a key, so a good list is asked for again without one. Where there is no list,
or it is open to all, the smallest completion is asked for, at the very address the agent uses.
"""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import urlsplit

from zcplatform.agent.providers import Key, Uri, family
from zcplatform.agent.trials import Provider

TOKEN_LIVES_S = 300


class Result(StrEnum):
    WORKS = "works"
    REFUSED = "refused"
    LIMITED = "limited"
    ODD = "odd"
    UNREACHABLE = "unreachable"
    NOT_TESTABLE = "not_testable"


@dataclass(frozen=True)
class Verdict:
    """`status` is the last HTTP status; `model_listed` None where the service did not say which models it has."""

    result: Result
    detail: str
    status: int | None = None
    model_listed: bool | None = None


@dataclass(frozen=True)
class Call:
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: str | None = None
    """JSON to post; None is a GET."""


@dataclass(frozen=True)
class Reply:
    """`body` is what the JSON says, the empty text when it is none, None when it was too long to be read."""

    status: int
    body: object = None


Talk = Generator[Call, Reply, Verdict]
"""Yields the calls to make, is sent the reply of each, returns what they prove."""

NOT_TESTABLE: Mapping[str, str] = MappingProxyType(
    {
        "azure": "its address is made of a resource and a deployment; send the agent a message instead",
        "bedrock": "its requests are signed for a region that only the agent knows; send the agent a message instead",
        "copilot": "its key is exchanged for another one by the agent; send the agent a message instead",
        "gemini_cli": "it is a program inside the container with a login of its own",
        "grok_cli": "it is a program inside the container with a login of its own",
        "kilocli": "it is a program inside the container with a login of its own",
    }
)
_ONLY_COMPLETIONS = frozenset({"cohere", "perplexity", "glm", "zai"})
_SHORT_TOKEN = frozenset({"glm", "zai"})


def talk(provider: Provider, now: datetime) -> Talk:
    """The conversation that tests `provider` (checked before, with its key in clear)."""
    reason = not_testable(provider)
    if reason is not None:
        return Verdict(Result.NOT_TESTABLE, reason)
    base = (provider.uri or family(provider.family).default_uri or "").rstrip("/")
    match provider.family:
        case "anthropic":
            return (yield from _one(Call(f"{base}/v1/models?limit=1000", _anthropic(provider.api_key or "")), provider, "data", "id"))
        case "openrouter":
            return (yield from _one(Call(f"{base}/auth/key", _bearer(provider.api_key)), provider, "data", None))
        case "gemini":
            headers = {"x-goog-api-key": provider.api_key or ""}
            return (yield from _one(Call(f"{base}/models?pageSize=1000", headers), provider, "models", "name"))
        case "ollama":
            return (yield from _one(Call(f"{_ollama(base)}/api/tags", _bearer(provider.api_key)), provider, "models", "name"))
    if provider.family in _ONLY_COMPLETIONS:
        key = _short_token(provider.api_key or "", now) if provider.family in _SHORT_TOKEN else provider.api_key
        return (yield from _completion(base, key, provider.model, None))
    return (yield from _openai(base, provider))


def not_testable(provider: Provider) -> str | None:
    """Why it can not be tested from here; None when it can."""
    if provider.family in NOT_TESTABLE:
        return NOT_TESTABLE[provider.family]
    known = family(provider.family)
    if provider.uri is None and known.default_uri is not None and urlsplit(known.default_uri).hostname in ("localhost", "127.0.0.1"):
        return "its usual address is inside the agent's own container; give a `base_url`"
    if known.key is Key.REQUIRED and not provider.api_key:
        return "no key is saved for it"
    if provider.api_key and not (provider.api_key.isascii() and provider.api_key.isprintable()):
        return "its key holds characters that can not be sent"
    base = provider.uri if known.uri is not Uri.IGNORED else None
    parts = urlsplit(base or known.default_uri or "")
    if not parts.hostname or parts.scheme not in ("http", "https") or parts.username is not None or parts.query or parts.fragment:
        return "its address is not http(s)://HOST[:PORT]/PATH"
    return None


def _openai(base: str, provider: Provider) -> Talk:
    root = base.removesuffix("/chat/completions")
    reply = yield Call(f"{root}/models", _bearer(provider.api_key))
    listed = _listed(reply.body, "data", "id", provider.model)
    if reply.status == 200 and _has(reply.body, "data"):
        if not provider.api_key:
            return _works(listed, 200)
        without = yield Call(f"{root}/models")
        if without.status in (401, 403):
            return _works(listed, 200)
        return (yield from _completion(base, provider.api_key, provider.model, listed))
    if reply.status in (200, 404, 405, 501):
        return (yield from _completion(base, provider.api_key, provider.model, listed))
    return _judge(reply.status)


def _one(call: Call, provider: Provider, rows: str, name: str | None) -> Talk:
    """Services with an answer of their own that only a good key gets."""
    reply = yield call
    if reply.status != 200:
        # Google's answer to a wrong key is 400.
        return _judge(401 if provider.family == "gemini" and reply.status == 400 else reply.status, reply.status)
    if reply.body is not None and not _has(reply.body, rows):
        return Verdict(Result.ODD, "it answered something else than this service does", 200)
    return _works(_listed(reply.body, rows, name, provider.model) if name else None, 200)


def _completion(base: str, key: str | None, model: str, listed: bool | None) -> Talk:
    url = base if base.endswith("/chat/completions") else f"{base}/chat/completions"
    asked = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    reply = yield Call(url, _bearer(key), json.dumps(asked))
    if reply.status == 200 and (reply.body is None or not _has(reply.body, "choices")):
        return Verdict(Result.ODD, "it answered, but not as a model does", 200)
    if reply.status == 200:
        return _works(listed, 200)
    if reply.status in (400, 404, 422):
        return Verdict(
            Result.ODD, f"it refused a message for this model (status {reply.status}): is the model's name right?", reply.status, listed
        )
    return _judge(reply.status)


def _judge(status: int, shown: int | None = None) -> Verdict:
    shown = status if shown is None else shown
    if status in (401, 403):
        return Verdict(Result.REFUSED, f"it refused the key (status {shown})", shown)
    if status in (402, 429):
        return Verdict(Result.LIMITED, f"it knows the key but takes no more requests now (status {shown}): no credit, or too many", shown)
    if 300 <= status < 400:
        return Verdict(Result.ODD, f"it leads to another address (status {shown}), where a key is never sent", shown)
    return Verdict(Result.ODD, f"it answered with status {shown}", shown)


def _works(listed: bool | None, status: int) -> Verdict:
    detail = "it took the key and answered" if listed is not False else "it took the key, but does not list this model"
    return Verdict(Result.WORKS, detail, status, listed)


def _has(body: object, rows: str) -> bool:
    return isinstance(body, dict) and isinstance(body.get(rows), list | dict)


def _listed(body: object, rows: str, name: str | None, model: str) -> bool | None:
    found = body.get(rows) if isinstance(body, dict) else None
    if not isinstance(found, list) or not found:
        return None
    names = {row.get(name) for row in found if isinstance(row, dict) and isinstance(row.get(name), str)}
    return bool({model, f"models/{model}", f"{model}:latest"} & names)


def _bearer(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _anthropic(key: str) -> dict[str, str]:
    """Tokens of a subscription's login are sent as the agent sends them."""
    version = {"anthropic-version": "2023-06-01"}
    if key.startswith("sk-ant-oat01-"):
        return {**version, "Authorization": f"Bearer {key}", "anthropic-beta": "oauth-2025-04-20"}
    return {**version, "x-api-key": key}


def _ollama(base: str) -> str:
    return base.removesuffix("/v1").removesuffix("/api")


def _short_token(key: str, now: datetime) -> str:
    """`id.secret` as the short JWT that this service asks for; any other key as it is."""
    name, dot, secret = key.partition(".")
    if not dot or not name or not secret:
        return key
    at = int(now.timestamp() * 1000)
    parts = ({"alg": "HS256", "sign_type": "SIGN"}, {"api_key": name, "exp": at + TOKEN_LIVES_S * 1000, "timestamp": at})
    text = ".".join(_base64(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return f"{text}.{_base64(hmac.digest(secret.encode(), text.encode(), 'sha256'))}"


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
