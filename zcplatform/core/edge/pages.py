"""Responses that the edge gives by itself. The header `X-Zcplatform` says why; browsers get a plain page."""

from enum import StrEnum
from typing import Any

Json = dict[str, Any]

TENANT_HEADER = "X-Zcplatform-Tenant"
"""On every response of a route that leads to an agent. This and nothing else proves that the tenant's route is in place."""
REASON_HEADER = "X-Zcplatform"

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem}}</style></head>
<body><h1>{title}</h1><p>{text}</p></body></html>
"""


class Page(StrEnum):
    """Why a tenant's address leads to no agent."""

    STOPPED = "stopped"
    SUSPENDED = "suspended"


def plain(status: int, reason: str) -> Json:
    return {
        "handler": "static_response",
        "status_code": status,
        "headers": {REASON_HEADER: [reason], "Content-Type": ["text/plain; charset=utf-8"], "Cache-Control": ["no-store"]},
        "body": f"{reason}\n",
    }


def of(page: Page) -> Json:
    match page:
        case Page.STOPPED:
            text = "It may be starting: try again in a moment. If it was stopped, its team can start it."
            return _page(503, page, 30, "This agent is not running", text)
        case Page.SUSPENDED:
            text = "The operator of this service has suspended it, and only the operator can resume it."
            return _page(503, page, 600, "This agent is suspended", text)


def errors(panel_hosts: list[str]) -> list[Json]:
    """Error routes for failed proxying. Other errors (a body too large) keep their status and have no body."""
    unreachable = {"vars": {"{http.error.status_code}": ["502", "503", "504"]}}
    panel = _page("{http.error.status_code}", "unreachable", 5, "The panel is not responding", "Try again in a moment.")
    problem = {
        **panel,
        "headers": {**panel["headers"], "Content-Type": ["application/problem+json"]},
        "body": '{"type":"about:blank","title":"Service unavailable","status":{http.error.status_code},'
        '"code":"web.unreachable","detail":"The platform is not responding.","hint":"Try again in a moment."}',
    }
    tenant = _page(
        "{http.error.status_code}", "unreachable", 5, "This agent is not responding", "It may be starting. Try again in a moment."
    )
    # The route is in place and only the agent does not respond, so the marker is set here as well.
    tenant["headers"][TENANT_HEADER] = ["{http.vars.zcp_tenant}"]
    return [
        {"match": [{**unreachable, "host": panel_hosts, "path": ["/api/*"]}], "handle": [problem], "terminal": True},
        {"match": [{**unreachable, "host": panel_hosts}], "handle": [panel], "terminal": True},
        {"match": [unreachable], "handle": [tenant], "terminal": True},
    ]


def _page(status: int | str, reason: str, retry_after_s: int, title: str, text: str) -> Json:
    return {
        "handler": "static_response",
        "status_code": status,
        "headers": {
            REASON_HEADER: [reason],
            "Retry-After": [str(retry_after_s)],
            "Content-Type": ["text/html; charset=utf-8"],
            "Cache-Control": ["no-store"],
        },
        "body": _PAGE.format(title=title, text=text),
    }
