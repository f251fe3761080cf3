"""How a provider's key is tested: what the catalog says (`probes`), made into requests and verdicts. Pure: somebody else sends them.

A list of models that everybody may read proves nothing about a key, so a good list is asked for again without one. Where there is no list,
or it is open to all, another probe decides: the smallest completion, at the very address the agent uses.
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
from zcplatform.agent.providers import Key, Uri, family

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
    """`status` is the last HTTP status; `model_listed` None where the service did not say which models it has."""

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
    """JSON."""


@dataclass(frozen=True)
class Reply:
    """`body` is what the JSON says, the empty text when it is none, None when it was too long to be read."""

    status: int
    body: object = None


Talk = Generator[Call, Reply, ProviderTestOutcome]
"""Yields the calls to make, is sent the reply of each, returns what they prove."""


def talk(provider: ProviderWithKey, now: datetime) -> Talk:
    """The conversation that tests `provider` (checked before, with its key in clear)."""
    known, reason = family(provider.family), not_testable(provider)
    if known.test is None or reason is not None:
        return ProviderTestOutcome(Result.NOT_TESTABLE, reason or "")
    key = _key_headers(KEY_FORMS[known.header], provider.api_key, now)
    base = (provider.uri or known.default_uri or "").rstrip("/")
    return (yield from _ask(REQUESTS[known.test], base, key, provider.model, None))


def not_testable(provider: ProviderWithKey) -> str | None:
    """Why it can not be tested from here; None when it can."""
    known = family(provider.family)
    if known.test is None:
        return known.test_reason
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


def _ask(probe: RequestTemplate, base: str, key: Mapping[str, str], model: str, listed: bool | None) -> Talk:
    """`listed`: what a list said of the model that was asked for before."""
    reply = yield _call(probe, base, key, model)
    if probe.name is not None:
        listed = _listed(reply.body, probe.rows, probe.name, model)
    if probe.otherwise is None or not (
        reply.status in probe.no_list or (reply.status == 200 and (yield from _is_open(probe, reply, base, key)))
    ):
        return _judge(probe, reply, listed)
    return (yield from _ask(REQUESTS[probe.otherwise], base, key, model, listed))


def _is_open(probe: RequestTemplate, reply: Reply, base: str, key: Mapping[str, str]) -> Generator[Call, Reply, bool]:
    """Whether a good answer says nothing about the key: it is no list, or everybody gets it."""
    if not _has(reply.body, probe.rows):
        return True
    return bool(key) and (yield _call(probe, base, {}, "")).status not in probe.refused


def _call(probe: RequestTemplate, base: str, key: Mapping[str, str], model: str) -> Call:
    for ending in probe.cut:
        base = base.removesuffix(ending)
    body = None if probe.body is None else json.dumps({**probe.body, **({"model": model} if "model" in probe.body else {})})
    return Call(probe.method, f"{base}{probe.path}", {**probe.headers, **key}, body)


def _judge(probe: RequestTemplate, reply: Reply, listed: bool | None) -> ProviderTestOutcome:
    status = reply.status
    if status == 200:
        # A list may be longer than what is read of it; the answer to a message of one word is not.
        if _has(reply.body, probe.rows) or (reply.body is None and probe.name is not None):
            return _works(listed, status)
        return ProviderTestOutcome(Result.ODD, "it answered something else than this service does", status)
    if status in probe.refused:
        return ProviderTestOutcome(Result.REFUSED, f"it refused the key (status {status})", status)
    if status in probe.limited:
        return ProviderTestOutcome(
            Result.LIMITED, f"it knows the key but takes no more requests now (status {status}): no credit, or too many", status
        )
    if status in probe.wrong_model:
        return ProviderTestOutcome(
            Result.ODD, f"it refused a message for this model (status {status}): is the model's name right?", status, listed
        )
    if 300 <= status < 400:
        return ProviderTestOutcome(Result.ODD, f"it leads to another address (status {status}), where a key is never sent", status)
    return ProviderTestOutcome(Result.ODD, f"it answered with status {status}", status)


def _works(listed: bool | None, status: int) -> ProviderTestOutcome:
    detail = "it took the key and answered" if listed is not False else "it took the key, but does not list this model"
    return ProviderTestOutcome(Result.WORKS, detail, status, listed)


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
