"""The demo agent's HTTP interface: paths, who may call them, and the same responses as the real agent's."""

import asyncio
import os
from collections.abc import Awaitable, Callable

from zcplatform.demo_agent import VERSION, bearer, chat, devices_api, page, webhook
from zcplatform.demo_agent.metrics import CONTENT_TYPE, DISABLED
from zcplatform.demo_agent.state import DemoState
from zcplatform.demo_agent.wire import Request, Response

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self' ws: wss:; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-permitted-cross-domain-policies": "none",
    "permissions-policy": "geolocation=(), microphone=(), camera=()",
}

Route = Callable[[DemoState, Request], Awaitable[Response]]


async def health(state: DemoState, _: Request) -> Response:
    body = {
        "paired": bool(state.guard.hashes),
        "require_pairing": state.guard.is_required,
        "runtime": state.health(with_errors=False),
        "status": "ok",
    }
    return Response.json(200, body)


async def api_health(state: DemoState, _: Request) -> Response:
    return Response.json(200, {"health": state.health(with_errors=True)})


async def metrics(state: DemoState, _: Request) -> Response:
    return Response(200, (state.metrics.text() if state.config.has_metrics else DISABLED).encode(), CONTENT_TYPE)


async def status(state: DemoState, _: Request) -> Response:
    agent = state.config.default_agent()
    provider = state.config.provider_of(agent)
    body = {
        "version": VERSION,
        "model_provider": provider.name if provider else None,
        "model": provider.model if provider else "",
        "temperature": None,
        "uptime_seconds": state.health(with_errors=True)["uptime_seconds"],
        "daemon_started_at": state.started_at,
        "gateway_port": state.config.gateway.port,
        "locale": "en",
        "memory_backend": "none",
        "paired": bool(state.guard.hashes),
        "channels": {},
        "nodes": {"connected": [], "mdns_peers": []},
        "health": state.health(with_errors=True),
        "agent_alias": None,
        "process": {"rss_bytes": 0, "system_ram_total_bytes": 0, "cpu_percent": None, "num_cpus": os.cpu_count() or 1},
        "check_updates": state.config.gateway.check_updates,
        "allow_self_upgrade": state.config.gateway.allow_self_upgrade,
        "restart_mode": "manual",
        "restart_hint": "docker compose restart",
    }
    return Response.json(200, body)


async def channels(state: DemoState, _: Request) -> Response:
    """The demo agent has no channels: all configured ones are shown as not compiled in."""
    rows = [
        {
            "alias": alias,
            "compiled": False,
            "enabled": is_enabled,
            "health": "unavailable",
            "last_message_at": None,
            "message_count": 0,
            "name": f"{kind}.{alias}",
            "owning_agent": None,
            "readiness": {"authenticated": "unknown", "bound_to_agent": "missing", "enabled": "ready" if is_enabled else "missing"}
            | {"listening": "unknown", "notes": [], "requirements": []},
            "status": "not_compiled",
            "type": kind,
        }
        for kind, alias, is_enabled in state.config.channels
    ]
    return Response.json(200, {"channels": rows})


async def pair_code(state: DemoState, _: Request) -> Response:
    return Response.json(200, {"pairing_code": None, "pairing_required": state.guard.is_required, "success": True})


async def refuse_admin(_: DemoState, __: Request) -> Response:
    return Response.json(403, {"error": "Pairing-code admin requests need this gateway's admin token; the demo agent has none."})


OPEN: dict[str, dict[str, Route]] = {
    "/health": {"GET": health},
    "/metrics": {"GET": metrics},
    "/pair": {"POST": devices_api.pair},
    "/pair/code": {"GET": pair_code},
    "/api/pair": {"POST": devices_api.api_pair},
    "/webhook": {"POST": webhook.post},
    "/ws/chat": {"GET": chat.upgrade},
    "/admin/paircode": {"GET": refuse_admin},
    "/admin/paircode/new": {"POST": refuse_admin},
}
BEARER: dict[str, dict[str, Route]] = {
    "/api/status": {"GET": status},
    "/api/health": {"GET": api_health},
    "/api/channels": {"GET": channels},
    "/api/devices": {"GET": devices_api.listing},
    "/api/pairing/initiate": {"POST": devices_api.initiate},
}


async def handle(state: DemoState, request: Request) -> Response:
    try:
        async with asyncio.timeout(state.config.gateway.request_timeout_secs):
            response = await _route(state, request)
    except TimeoutError:
        response = Response(408)
    return Response(response.status, response.body, response.content_type, {**HEADERS, **response.headers}, response.takes_over)


async def _route(state: DemoState, request: Request) -> Response:
    path, method = request.path, "GET" if request.method == "HEAD" else request.method
    if path in OPEN:
        route = OPEN[path].get(method)
        return await route(state, request) if route else Response(405)
    route, is_bearer_path = _bearer_route(path, method)
    if is_bearer_path:
        if route is None:
            return Response(405)
        return await route(state, request) if bearer.is_allowed(state, request) else bearer.REFUSED
    if method != "GET":
        return Response(405)
    if path == "/api" or path.startswith("/api/"):
        return Response.json(404, {"error": "not_found", "message": "No backend route matched this path.", "path": path})
    return page.show(state)


def _bearer_route(path: str, method: str) -> tuple[Route | None, bool]:
    if path in BEARER:
        return BEARER[path].get(method), True
    parts = path.removeprefix("/api/devices/").split("/")
    if path.startswith("/api/devices/") and len(parts) == 1:
        return (devices_api.revoke if method == "DELETE" else None), True
    if path.startswith("/api/devices/") and parts[1:] == ["token", "rotate"]:
        return (devices_api.rotate if method == "POST" else None), True
    return None, False
