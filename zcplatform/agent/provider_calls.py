"""Decide which HTTP calls test a provider's key, and what their answers prove. Pure: the caller sends them.

A list of models that anyone may read proves nothing about a key, so a successful list is requested again without the key. If there is no
list, or anyone may read it, another request decides: the smallest completion, at the address that the agent uses.
"""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from zcplatform.agent.provider_input import ProviderWithKey
from zcplatform.agent.provider_test_catalog import KEY_FORMS, REQUESTS, KeyForm, RequestTemplate
from zcplatform.agent.providers import Key, family

TOKEN_LIVES_S = 300


class Result(StrEnum):
    WORKS = "works"
    REFUSED = "refused"
    LIMITED = "limited"
    ODD = "odd"
    UNREACHABLE = "unreachable"
    NOT_TESTABLE = "not_testable"


@dataclass(frozen=True)
class ProviderTestOutcome:
    """The outcome of a test. `status` is the last HTTP status; `model_listed` is None if the service did not list its models."""

    result: Result
    detail: str
    status: int | None = None
    model_listed: bool | None = None


@dataclass(frozen=True)
class Call:
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: str | None = None
    """The body, as JSON."""


@dataclass(frozen=True)
class Reply:
    """A reply. `body` is the parsed JSON, the empty text if it is not JSON, None if it was too long to be read."""

    status: int
    body: object = None


Talk = Generator[Call, Reply, ProviderTestOutcome]
"""A generator that yields calls, is sent the reply to each, and returns what they prove."""


def talk(provider: ProviderWithKey, now: datetime) -> Talk:
    """Return the conversation that tests `provider`, which was validated before and has its key in clear text."""
    known, reason = family(provider.family), not_testable(provider)
    if known.test is None or reason is not None:
        return ProviderTestOutcome(Result.NOT_TESTABLE, reason or "")
    key = _key_headers(KEY_FORMS[known.header], provider.api_key, now)
    return (yield from _ask(REQUESTS[known.test], provider.address.rstrip("/"), key, provider.model, None))


def not_testable(provider: ProviderWithKey) -> str | None:
    """Return why the provider cannot be tested from here; None if it can."""
    known = family(provider.family)
    if known.test is None:
        return known.test_reason
    parts = urlsplit(provider.address)
    if provider.base_url is None and parts.hostname in ("localhost", "127.0.0.1"):
        return "its default address is inside the agent's own container; set a `base_url`"
    if known.key is Key.REQUIRED and not provider.api_key:
        return "no key is saved for it"
    if provider.api_key and not (provider.api_key.isascii() and provider.api_key.isprintable()):
        return "its key holds characters that cannot be sent"
    if not parts.hostname or parts.scheme not in ("http", "https") or parts.username is not None or parts.query or parts.fragment:
        return "its address is not http(s)://HOST[:PORT]/PATH"
    return None


def _ask(request: RequestTemplate, base: str, key: Mapping[str, str], model: str, listed: bool | None) -> Talk:
    """Interpret a reply. `listed` says whether an earlier list contained the model."""
    reply = yield _call(request, base, key, model)
    if request.name is not None:
        listed = _listed(reply.body, request.rows, request.name, model)
    if request.otherwise is None or not (
        reply.status in request.no_list or (reply.status == 200 and (yield from _is_open(request, reply, base, key)))
    ):
        return _judge(request, reply, listed, bool(key))
    return (yield from _ask(REQUESTS[request.otherwise], base, key, model, listed))


def _is_open(request: RequestTemplate, reply: Reply, base: str, key: Mapping[str, str]) -> Generator[Call, Reply, bool]:
    """Whether a successful answer proves nothing about the key: it is not a list, or anyone gets it."""
    if not _has(reply.body, request.rows):
        return True
    return bool(key) and (yield _call(request, base, {}, "")).status not in request.refused


def _call(request: RequestTemplate, base: str, key: Mapping[str, str], model: str) -> Call:
    for ending in request.cut:
        base = base.removesuffix(ending)
    body = None if request.body is None else json.dumps({**request.body, **({"model": model} if "model" in request.body else {})})
    return Call(request.method, f"{base}{request.path}", {**request.headers, **key}, body)


def _judge(request: RequestTemplate, reply: Reply, listed: bool | None, has_key: bool) -> ProviderTestOutcome:
    status = reply.status
    if status == 200:
        # A list may be longer than the limit on bodies; the answer to a message of one word is not.
        if _has(reply.body, request.rows) or (reply.body is None and request.name is not None):
            return _works(listed, status, has_key)
        return ProviderTestOutcome(Result.ODD, "the answer does not look like one of this service", status)
    if status in request.refused:
        why = "it refused the key" if has_key else "it requires a key, and none is saved"
        return ProviderTestOutcome(Result.REFUSED, f"{why} (status {status})", status)
    if status in request.limited:
        who = "it knows the key but" if has_key else "it"
        why = f"{who} accepts no more requests now (status {status}): no credit, or too many requests"
        return ProviderTestOutcome(Result.LIMITED, why, status)
    if status in request.wrong_model:
        why = f"it rejected a message for this model (status {status}); check the model's name"
        return ProviderTestOutcome(Result.ODD, why, status, listed)
    if 300 <= status < 400:
        return ProviderTestOutcome(Result.ODD, f"it redirects to another address (status {status}), where a key is never sent", status)
    return ProviderTestOutcome(Result.ODD, f"it answered with status {status}", status)


def _works(listed: bool | None, status: int, has_key: bool) -> ProviderTestOutcome:
    tested = "it accepted the key" if has_key else "it answers without a key; no key was tested"
    unlisted = ", but does not list this model" if listed is False else ""
    return ProviderTestOutcome(Result.WORKS, f"{tested}{unlisted}", status, listed)


def _has(body: object, rows: str) -> bool:
    return isinstance(body, dict) and isinstance(body.get(rows), list | dict)


def _listed(body: object, rows: str, name: str, model: str) -> bool | None:
    found = body.get(rows) if isinstance(body, dict) else None
    if not isinstance(found, list) or not found:
        return None
    names = {row.get(name) for row in found if isinstance(row, dict) and isinstance(row.get(name), str)}
    return bool({model, f"models/{model}", f"{model}:latest"} & names)


def _key_headers(form: KeyForm, key: str | None, now: datetime) -> dict[str, str]:
    if not key:
        return {}
    headers = next((other for prefix, other in form.prefixes.items() if key.startswith(prefix)), form.headers)
    return {name: value.format(key=key, short_token=_short_token(key, now)) for name, value in headers.items()}


def _short_token(key: str, now: datetime) -> str:
    """Return a key `id.secret` as the short-lived JWT that this service requires; any other key unchanged."""
    name, dot, secret = key.partition(".")
    if not dot or not name or not secret:
        return key
    at = int(now.timestamp() * 1000)
    parts = ({"alg": "HS256", "sign_type": "SIGN"}, {"api_key": name, "exp": at + TOKEN_LIVES_S * 1000, "timestamp": at})
    text = ".".join(_base64(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return f"{text}.{_base64(hmac.digest(secret.encode(), text.encode(), 'sha256'))}"


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
