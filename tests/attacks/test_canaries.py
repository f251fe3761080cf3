"""What somebody sends never comes back in an error and never gets into the log, whichever field, path or query it was in."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.web.conftest import Web
from tests.web.conftest import web as web
from zcplatform import log
from zcplatform.web.app import described
from zcplatform.web.rates import Rates

CANARY = "C4n4ry~9fQ-"
"""A text that is not in the form of a name: errors do name one's own objects, or nobody would know what they mean."""
DOCUMENT = described().openapi()
SCHEMAS = DOCUMENT["components"]["schemas"]
KNOWN: dict[str, Any] = {"email": "ann@example.com", "slug": "shop2", "role": "viewer", "source": "demo"}


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema or "anyOf" in schema:
        schema = SCHEMAS[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema["anyOf"][0]
    return schema


def _body(schema: dict[str, Any], name: str = "") -> Any:
    """One that fits, with every field."""
    schema = _resolved(schema)
    kind = schema.get("type")
    if "enum" in schema or "const" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    if kind == "object":
        return {key: _body(part, key) for key, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [_body(schema["items"], name)]
    return {"string": KNOWN.get(name, "abc"), "integer": 1, "number": 1.0, "boolean": False}.get(str(kind))


def _poisoned(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Copies with the canary in one place each: a text, or something of another type, or a field nobody knows."""
    if isinstance(value, dict):
        for key, part in value.items():
            for place, poisoned in _poisoned(part, f"{path}.{key}"):
                yield place, {**value, key: poisoned}
        yield f"{path}.+", {**value, f"{CANARY} x": CANARY}
    elif isinstance(value, list):
        for place, poisoned in _poisoned(value[0], f"{path}[]"):
            yield place, [poisoned]
    yield path, CANARY
    yield f"{path} (list)", [CANARY]
    yield f"{path} (long)", CANARY * 2_000
    yield f"{path} (lines)", f"{CANARY}\r\n\x1b[31m\u202e"


def _routes(methods: tuple[str, ...]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, found in DOCUMENT["paths"].items():
        for method, told in found.items():
            if method in methods:
                yield method.upper(), path, told


class Told:
    """What came back although it should not, all of it at the end."""

    def __init__(self) -> None:
        self.asked = 0
        self.wrong: list[str] = []

    def look(self, answer: Any, place: str) -> None:
        self.asked += 1
        is_ours = answer.status_code < 500 or answer.json().get("code") != "internal.error"
        is_clean = answer.status_code < 400 or CANARY[:10] not in answer.text + str(answer.headers)
        if not (is_ours and is_clean):
            self.wrong.append(f"{place}: {answer.status_code} {answer.text[:300]}")


@pytest.fixture
def quiet(capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    log.configure("tests", "DEBUG")
    yield
    written = capsys.readouterr()
    assert CANARY[:10] not in written.err + written.out


async def test_no_field_comes_back_in_an_error(web: Web, quiet: None) -> None:
    """S-94: every field of every body, with a text, another type, a long text, control characters."""
    web.client._transport.app.state.rates = _unlimited(web)  # type: ignore[attr-defined]
    told_back = Told()
    for method, path, told in _routes(("post", "put", "patch", "delete")):
        content = told.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        for place, body in _poisoned(_body(content["schema"])):
            await web.client.post("/api/tenants", json={"slug": "shop"})
            address = re.sub(r"\{\w+\}", "abc", path.replace("{tenant}", "shop"))
            answer = await web.client.request(method, address, content=json.dumps(body), headers={"Content-Type": "application/json"})
            told_back.look(answer, f"{method} {path} {place}")
    assert told_back.wrong == []
    assert told_back.asked > 200


async def test_no_path_query_or_header_comes_back_in_an_error(web: Web, quiet: None) -> None:
    """S-94, S-60."""
    web.client._transport.app.state.watcher.stopped.set()  # type: ignore[attr-defined]
    await web.client.post("/api/tenants", json={"slug": "shop"})
    told_back = Told()
    for method, path, told in _routes(("get", "post", "put", "patch", "delete")):
        names = re.findall(r"\{(\w+)\}", path)
        for name in names:
            address = path
            for other in names:
                address = address.replace(f"{{{other}}}", CANARY + "%0a%1b" if other == name else "shop" if other == "tenant" else "abc")
            told_back.look(await web.client.request(method, address), f"{method} {path} {name}")
        address = re.sub(r"\{\w+\}", "abc", path.replace("{tenant}", "shop"))
        for parameter in told.get("parameters", []):
            if parameter["in"] == "query":
                told_back.look(
                    await web.client.request(method, address, params={parameter["name"]: CANARY}), f"{method} {path} ?{parameter['name']}"
                )
        headers = dict.fromkeys(
            ("Idempotency-Key", "X-Reason", "Last-Event-ID", "User-Agent", "X-Forwarded-For", "Cookie", "Origin"), CANARY
        )
        told_back.look(
            await web.client.request(method, address, headers={**headers, "Authorization": f"Bearer {CANARY}"}), f"{method} {path} headers"
        )
    assert told_back.wrong == []
    assert told_back.asked > 80


async def test_a_body_that_is_no_json_does_not_come_back(web: Web, quiet: None) -> None:
    told_back = Told()
    for method, path, _ in _routes(("post", "put", "patch")):
        address = re.sub(r"\{\w+\}", "abc", path.replace("{tenant}", "shop"))
        for body in (f'{{"a": "{CANARY}', f'"{CANARY}"', f"{CANARY}", f'{{"{CANARY}": 1}}', f'["{CANARY}"]'):
            told_back.look(
                await web.client.request(method, address, content=body, headers={"Content-Type": "application/json"}), f"{method} {path}"
            )
    assert told_back.wrong == []


def _unlimited(web: Web) -> Rates:
    most = {f"requests_{kind}": 1_000_000 for kind in ("address", "account", "tenant")}
    return Rates(web.settings.model_copy(update=most))
