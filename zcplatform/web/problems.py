"""Errors as problem+json (RFC 9457). Input is never echoed: it may hold a secret."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from zcplatform.errors import PlatformError
from zcplatform.log import logger

RETRY_AFTER_S = 5
MEDIA_TYPE = "application/problem+json"
_HTTP = {
    400: ("request.unreadable", "The body can not be read", "send one JSON object in UTF-8"),
    404: ("route.unknown", "There is no such route", "docs/api.md lists the routes"),
    405: ("route.method", "This route does not take that method", "docs/api.md lists the routes"),
    413: ("request.too_large", "The body is larger than 64 KiB", "send less"),
}


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
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def of(error: PlatformError) -> JSONResponse:
    return problem(error.status, error.code, error.detail, error.hint, error.fields, error.retry_after_s)


def install(app: FastAPI) -> None:
    """Every error of the application leaves as a problem."""
    app.add_exception_handler(PlatformError, _platform)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _platform(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PlatformError)  # noqa: S101
    return of(error)


async def _validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    fields: dict[str, str] = {}
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"] if part not in ("body", "query", "path", "header"))
        fields[name or "body"] = "is not a known field" if item["type"] == "extra_forbidden" else str(item["msg"])
    named = ", ".join(fields)
    return problem(422, "request.invalid", f"The request is not valid: {named}", "see `fields` for what is wrong with each", fields)


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    code, detail, hint = _HTTP.get(error.status_code, ("request.refused", HTTPStatus(error.status_code).phrase, ""))
    return problem(error.status_code, code, detail, hint)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    logger.exception("request failed", method=request.method, path=request.url.path, error=type(error).__name__)
    return problem(
        500, "internal.error", "Something went wrong inside the platform; it is in the log", "try again; if it stays, read the web log"
    )
