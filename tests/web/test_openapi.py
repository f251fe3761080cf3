"""The committed description of the API is the one the program gives."""

import json
from pathlib import Path

from zcplatform.web.app import described

from .conftest import Web

ROOT = Path(__file__).parents[2]


def test_the_committed_document_is_current() -> None:
    told = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert told == json.loads(json.dumps(described().openapi(), sort_keys=True)), "run scripts/openapi"


async def test_the_description_is_for_people_who_are_signed_in(web: Web) -> None:
    assert (await web.client.get("/api/openapi.json")).json()["info"]["title"] == "zcplatform"
    assert (await web.client.get("/api/openapi.json", headers={"Authorization": ""})).status_code == 401
