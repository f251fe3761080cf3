"""The OpenAPI document: current, valid, described in every part, and good enough for a generated client."""

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate

from zcplatform.web.app import described

from .conftest import Web

ROOT = Path(__file__).parents[2]
GENERATOR = Path(sys.executable).with_name("openapi-python-client")
Json = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Json:
    return dict(json.loads(json.dumps(described().openapi(), sort_keys=True)))


def _operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"{method.upper()} {path}", operation


def test_the_committed_document_is_current(document: Json) -> None:
    assert json.loads((ROOT / "docs" / "openapi.json").read_text()) == document, "run scripts/openapi"


async def test_everybody_gets_the_same_document(web: Web, document: Json) -> None:
    """The latest request does not change the document."""
    for _ in range(3):
        assert (await web.client.get("/api/openapi.json")).json() == document


async def test_the_description_is_for_people_who_are_signed_in(web: Web) -> None:
    assert (await web.client.get("/api/openapi.json")).json()["info"]["title"] == "zcplatform"
    assert (await web.client.get("/api/openapi.json", headers={"Authorization": ""})).status_code == 401


def test_the_document_is_valid(document: Json) -> None:
    validate(document)


def test_each_operation_has_a_name_a_summary_and_a_description(document: Json) -> None:
    names = [operation["operationId"] for _, operation in _operations(document)]
    assert len(set(names)) == len(names)
    bad = [name for name in names if not re.fullmatch(r"[a-z][A-Za-z]{3,40}", name)]
    poor = [where for where, operation in _operations(document) if not operation.get("summary") or not operation.get("description")]
    assert (bad, poor) == ([], [])


def test_each_parameter_is_declared_and_described(document: Json) -> None:
    """E5."""
    for where, operation in _operations(document):
        parameters = operation.get("parameters", [])
        declared = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", where)), where
        assert [parameter["name"] for parameter in parameters if not parameter.get("description")] == [], where


def test_each_field_is_described(document: Json) -> None:
    bare = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, described_field in schema.get("properties", {}).items()
        if not described_field.get("description")
    ]
    assert bare == [], "add a line to zcplatform/web/field_descriptions.py"


def test_closed_sets_are_enumerated_and_headers_documented(document: Json) -> None:
    schemas = document["components"]["schemas"]
    for schema, field in (
        ("Tenant", "state"),
        ("Tenant", "wanted"),
        ("Hold", "kind"),
        ("Me", "kind"),
        ("Operation", "status"),
        ("Step", "status"),
        ("Image", "status"),
    ):
        described_field = schemas[schema]["properties"][field]
        target = (
            described_field
            if "enum" in described_field
            else schemas[(described_field.get("$ref") or described_field["allOf"][0]["$ref"]).rpartition("/")[2]]
        )
        assert target["enum"], (schema, field)
    operations = {operation["operationId"]: operation for _, operation in _operations(document)}
    headers = {parameter["name"].lower() for parameter in operations["updateConfig"]["parameters"] if parameter["in"] == "header"}
    assert headers == {"idempotency-key", "if-match", "x-reason"}
    assert "Retry-After" in operations["createPairingCode"]["responses"]["503"]["headers"]
    assert "Location" in operations["deployTenant"]["responses"]["202"]["headers"]
    assert operations["listSignInMethods"]["security"] == []
    assert {scheme for option in operations["listTenants"]["security"] for scheme in option} == set(
        document["components"]["securitySchemes"]
    )


async def test_a_generated_client_calls_the_real_application(
    web: Web, document: Json, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    (tmp_path / "config.json").write_text('{"post_hooks": [], "package_name_override": "generated_client"}')
    command = [
        GENERATOR,
        "generate",
        "--path",
        "openapi.json",
        "--config",
        "config.json",
        "--output-path",
        "generated_client",
        "--meta",
        "none",
    ]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "Warning" not in made.stdout + made.stderr, made.stdout
    monkeypatch.syspath_prepend(str(tmp_path))
    client_class = importlib.import_module("generated_client.client").AuthenticatedClient
    models = importlib.import_module("generated_client.models")
    token = web.client.headers["Authorization"].removeprefix("Bearer ")
    client = client_class(base_url="http://panel.localhost", token=token)
    transport = httpx.ASGITransport(app=web.client._transport.app)  # type: ignore[attr-defined]
    headers = {"Authorization": f"Bearer {token}"}
    client.set_async_httpx_client(httpx.AsyncClient(transport=transport, base_url="http://panel.localhost", headers=headers))

    async def call(module: str, **arguments: Any) -> Any:
        return await importlib.import_module(f"generated_client.api.{module}").asyncio_detailed(client=client, **arguments)

    created = await call("tenants.create_tenant", body=models.TenantInput(slug="shop"), idempotency_key="once")
    assert (created.status_code, created.parsed.slug, created.parsed.state) == (201, "shop", "draft")
    again = await call("tenants.create_tenant", body=models.TenantInput(slug="shop"), idempotency_key="once")
    assert again.parsed.id == created.parsed.id
    listed = await call("tenants.list_tenants", q="sho", limit=1)
    assert ([item.slug for item in listed.parsed.items], listed.parsed.total) == (["shop"], 1)
    refused = await call("tenants.deploy_tenant", tenant="shop")
    assert (refused.status_code, json.loads(refused.content)["code"]) == (409, "image.none")
    web.image()
    accepted = await call("tenants.deploy_tenant", tenant="shop")
    assert (accepted.status_code, accepted.parsed.kind) == (202, "tenant.deploy")
    entries = await call("audit.list_tenant_audit_entries", tenant="shop", action="tenant.create")
    assert [entry.action for entry in entries.parsed.items] == ["tenant.create"]
