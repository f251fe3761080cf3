"""JSON can hold half a surrogate pair. From people it is 422 with the path; nothing of it is stored or answers with 500."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from tests.web.conftest import Web
from tests.web.conftest import web as web
from zcplatform.web.inputs import Input

HALF = b'"\\ud800"'


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/api/auth/link", b'{"token": %s}', "token"),
        ("POST", "/api/auth/otp/request", b'{"email": %s}', "email"),
        ("POST", "/api/auth/otp/verify", b'{"code": %s}', "code"),
        ("POST", "/api/tenants", b'{"slug": "shop", "name": %s}', "name"),
        ("POST", "/api/tenants", b'{"slug": "shop", "provider": {"family": "openai", "model": "m", "api_key": %s}}', "provider.api_key"),
        ("PATCH", "/api/tenants/acme/config", b'{"settings": {"instructions": %s}}', "settings.instructions"),
        (
            "PATCH",
            "/api/tenants/acme/config",
            b'{"settings": {"providers": {"main": {"fallback_models": ["m", %s]}}}}',
            "settings.providers.main.fallback_models.1",
        ),
        ("PATCH", "/api/tenants/acme/config", b'{"settings": {%s: 1}}', "…"),
        ("PUT", "/api/tenants/acme/secrets/providers.main.api_key", b'{"value": %s}', "value"),
    ],
)
async def test_half_a_character_is_422_with_its_path(web: Web, method: str, path: str, body: bytes, field: str) -> None:
    assert (await web.client.post("/api/tenants", json={"slug": "acme"})).status_code == 201
    answer = await web.client.request(method, path, content=body % HALF, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")
    assert list(answer.json()["fields"]) == [field]


async def test_a_whole_pair_is_a_character(web: Web) -> None:
    sent = b'{"slug": "shop", "name": "\\ud83d\\ude00"}'
    answer = await web.client.post("/api/tenants", content=sent, headers={"Content-Type": "application/json"})
    assert answer.json()["name"] == "\U0001f600"


async def test_every_body_is_checked(web: Web) -> None:
    """A route whose body is not an `Input` would take such text."""
    transport: Any = web.client._transport
    app: FastAPI = transport.app
    bodies = {kind for route in app.routes if isinstance(route, APIRoute) and route.body_field for kind in _models(route.body_field)}
    assert len(bodies) > 15
    assert [kind for kind in bodies if not issubclass(kind, Input)] == []


def _models(field: Any) -> Iterator[type[BaseModel]]:
    kind = field.field_info.annotation
    for one in (kind, *get_args(kind)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            yield one
