"""The committed description of the API is the one the program gives; and nothing but health answers without a token."""

import json
from pathlib import Path

from zcplatform.web.actor import Needs
from zcplatform.web.app import create_app

from .conftest import Web

ROOT = Path(__file__).parents[2]
OPEN = {"/healthz", "/readyz", "/internal/ask", "/api/auth/methods", "/api/auth/otp/request", "/api/auth/otp/verify", "/api/auth/link"}


def test_the_committed_document_is_current() -> None:
    told = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert told == json.loads(json.dumps(create_app(None).openapi(), sort_keys=True)), "run scripts/openapi"


def test_every_other_route_asks_who_is_there() -> None:
    def routes(owner: object) -> list[object]:
        found: list[object] = []
        for route in getattr(owner, "routes", []):
            inner = getattr(route, "original_router", None)
            found += routes(inner) if inner is not None else [route]
        return found

    open_routes, seen = set(), 0
    for route in routes(create_app(None)):
        seen += 1
        dependant = getattr(route, "dependant", None)
        calls = {dependency.call for dependency in dependant.dependencies} if dependant else set()
        if not any(isinstance(call, Needs) for call in calls):
            open_routes.add(route.path)  # type: ignore[attr-defined]
    assert seen >= 17
    assert open_routes == OPEN


async def test_the_description_is_for_people_who_are_signed_in(web: Web) -> None:
    assert (await web.client.get("/api/openapi.json")).json()["info"]["title"] == "zcplatform"
    assert (await web.client.get("/api/openapi.json", headers={"Authorization": ""})).status_code == 401
