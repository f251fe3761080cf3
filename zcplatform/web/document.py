"""The OpenAPI document: generated from the routes by the framework, and completed here with what it cannot know."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute

from zcplatform.web import shapes
from zcplatform.web.caller import Needs
from zcplatform.web.field_descriptions import DESCRIPTIONS
from zcplatform.web.problems import MEDIA_TYPE

Json = dict[str, Any]
RETRY_AFTER: Json = {"Retry-After": {"description": "Seconds after which the same request may work.", "schema": {"type": "integer"}}}
LOCATION: Json = {"Location": {"description": "The path of the operation, or of what was created.", "schema": {"type": "string"}}}
ETAG: Json = {
    "ETag": {"description": "The revision of these settings, to be sent as `If-Match` with a change.", "schema": {"type": "string"}}
}
PROBLEM: Json = {
    "description": "What happened, to which object, and what to do",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
SECURITY: Json = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token: `zcp_…`, from `zcplatform admin token create` on the host, or made by a person.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-zcp_session",
        "description": "The session of a browser. Changes must come from the panel's own origin.",
    },
}
REASON: Json = {
    "name": "X-Reason",
    "in": "header",
    "required": False,
    "description": "Why a super-admin acts in a tenant that they are not a member of; required then. The tenant's owners see it in their audit log.",
    "schema": {"type": "string", "maxLength": 200},
}


def complete(app: FastAPI) -> None:
    """Make `app.openapi()` return the completed document, and let HEAD work wherever GET does."""
    made = app.openapi
    routes = {route.operation_id or "": route for route in app.routes if isinstance(route, APIRoute)}
    for route in routes.values():
        if route.methods == {"GET"} and route.response_class is not StreamingResponse:
            route.methods = {"GET", "HEAD"}

    @cache
    def openapi() -> Json:
        """Made once: it is completed in place, so a second time would add everything again."""
        with _without_head(routes.values()):
            document = made()
        components = document["components"]
        for replaced in ("HTTPValidationError", "ValidationError"):
            components["schemas"].pop(replaced, None)
        components["schemas"]["Problem"] = shapes.Problem.model_json_schema(mode="serialization")
        components["securitySchemes"] = SECURITY
        _describe_fields(components["schemas"])
        for operations in document["paths"].values():
            for operation in operations.values():
                _complete(operation, needs_caller=any(True for _ in _needs(routes[operation["operationId"]])))
        return document

    app.openapi = openapi  # type: ignore[method-assign]


@contextmanager
def _without_head(routes: Any) -> Iterator[None]:
    """The document names each operation once; HEAD is GET without the body."""
    with_head = [route for route in routes if "HEAD" in route.methods]
    for route in with_head:
        route.methods = {"GET"}
    try:
        yield
    finally:
        for route in with_head:
            route.methods = {"GET", "HEAD"}


def _needs(route: APIRoute) -> Iterator[Needs]:
    yield from (dependency.call for dependency in route.dependant.dependencies if isinstance(dependency.call, Needs))


def _complete(operation: Json, *, needs_caller: bool) -> None:
    """Add the problem responses, which any route may return. Declaring them per route would cost three serializers for each."""
    responses = operation["responses"]
    for status, headers in (("201", LOCATION), ("202", LOCATION)):
        if status in responses:
            responses[status].setdefault("headers", {}).update(headers)
    if operation["operationId"] == "getConfig":
        responses["200"]["headers"] = ETAG
    slow = {**PROBLEM, "headers": RETRY_AFTER}
    operation["responses"] = {"4XX": PROBLEM, "429": slow, "503": slow, **responses, "422": PROBLEM}
    operation["security"] = [{"token": []}, {"session": []}] if needs_caller else []
    if needs_caller:
        operation.setdefault("parameters", []).append(REASON)
    for parameter in operation.get("parameters", ()):
        parameter.setdefault("description", DESCRIPTIONS.get(f"path.{parameter['name']}", ""))


def _describe_fields(schemas: Json) -> None:
    for name, schema in schemas.items():
        for field, described in schema.get("properties", {}).items():
            if "description" not in described:
                described["description"] = DESCRIPTIONS.get(f"{name}.{field}") or DESCRIPTIONS.get(field, "")
