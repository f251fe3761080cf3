"""Errors as problem+json (RFC 9457). Input is never echoed: it may hold a secret."""

import re
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Scope

from zcplatform.errors import PlatformError
from zcplatform.log import logger
from zcplatform.web import denials

RETRY_AFTER_S = 5
MEDIA_TYPE = "application/problem+json"
_HTTP = {
    400: ("request.unreadable", "The body cannot be read", "send one JSON object in UTF-8"),
    404: ("route.unknown", "There is no such route", "docs/reference/api.md lists the routes"),
    405: ("route.method", "This route does not support that method", "docs/reference/api.md lists the routes"),
    408: ("request.slow", "The body did not arrive within 20 seconds", "try again on a faster connection"),
    413: ("request.too_large", "The body is larger than 64 KiB", "send a smaller body"),
}
_ENDS = frozenset({408, 413})
"""After these responses the rest of the body is not read, so the connection is closed."""
_MOST_FIELDS = 20
_WORDS = re.compile(r"[A-Za-z' ,:]{1,100}", re.ASCII)
_QUOTE = re.compile(r"`([^`]*)`")
_NAMES = re.compile(r"[A-Za-z0-9_./:@{} -]{1,100}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}", re.ASCII)


def problem(
    status: int, code: str, detail: str, hint: str = "", fields: dict[str, str] | None = None, retry_after_s: int | None = None
) -> JSONResponse:
    body = {
        "type": f"urn:zcplatform:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "hint": hint,
        "fields": fields or {},
    }
    headers = {"Cache-Control": "no-store"}
    if retry_after_s is not None or status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(retry_after_s or RETRY_AFTER_S)
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status in _ENDS:
        headers["Connection"] = "close"
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def of(error: PlatformError) -> JSONResponse:
    fields = {_named(name): _quoted(why) for name, why in error.fields.items()}
    return problem(error.status, error.code, _quoted(error.detail), _quoted(error.hint), fields, error.retry_after_s)


def _quoted(text: str) -> str:
    """Text of a request that an error may quote: only what has the form of a name."""
    return _QUOTE.sub(lambda match: match[0] if _NAMES.fullmatch(match[1]) else "`…`", text)


def too_large() -> JSONResponse:
    return problem(413, *_HTTP[413])


def install(app: FastAPI) -> None:
    """Make the application answer every error as a problem."""
    app.add_exception_handler(PlatformError, _platform)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)


async def _platform(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PlatformError)  # noqa: S101
    await denials.record(request, error)
    return of(error)


async def _validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    fields: dict[str, str] = {}
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return _not_json(error)
    for item in error.errors()[:_MOST_FIELDS]:
        name = ".".join(_named(part) for part in item["loc"] if part not in ("body", "query", "path", "header"))
        fields[name or "body"] = _why(item["type"], str(item["msg"]))
    named = ", ".join(fields)
    return problem(422, "request.invalid", f"The request is not valid: {named}", "see `fields` for what is wrong with each", fields)


def _not_json(error: RequestValidationError) -> JSONResponse:
    """Return 400 with the position of the error, without quoting the body."""
    item = next(item for item in error.errors() if item["type"] == "json_invalid")
    why = str(item.get("ctx", {}).get("error", "it cannot be parsed"))
    place = f"character {item['loc'][-1]}" if isinstance(item["loc"][-1], int) else "its beginning"
    detail = f"The body is not JSON: {why if _WORDS.fullmatch(why) else 'it cannot be parsed'}, at {place}"
    return problem(400, "request.not_json", detail, "send one JSON object in UTF-8", {"body": f"at {place}"})


def _named(part: object) -> str:
    """Return a location in the body. Keys that do not have the form of a name are not quoted."""
    text = str(part)
    return text if _NAME.fullmatch(text) else "…"


def _why(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "is not a known field"
    return "is not one of the allowed values" if kind == "union_tag_invalid" else message


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    code, detail, hint = _HTTP.get(error.status_code, ("request.refused", HTTPStatus(error.status_code).phrase, ""))
    answer = problem(error.status_code, code, detail, hint)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = ", ".join(_allowed(request))
    return answer


def _allowed(request: Request) -> list[str]:
    """Return the methods of all routes with this path."""
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return sorted(found)


def unexpected(scope: Scope, error: Exception) -> JSONResponse:
    """The log shows the route, not the path: a path contains input."""
    route = getattr(scope.get("route"), "path", "unknown")
    logger.exception("request failed", method=scope["method"], route=route, error=type(error).__name__)
    return problem(
        500,
        "internal.error",
        "An error inside the platform; the log of the web process has the details",
        "try again; if it persists, read the log of the web process",
    )
