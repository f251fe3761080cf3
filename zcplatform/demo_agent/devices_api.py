"""Pairing and devices over HTTP."""

from zcplatform.agent.sealed import token_hash
from zcplatform.demo_agent.limits import WINDOW_S, client_key
from zcplatform.demo_agent.pairing import LockedOut
from zcplatform.demo_agent.saving import NotSaved, save
from zcplatform.demo_agent.state import DemoState, stamp
from zcplatform.demo_agent.wire import Request, Response


async def initiate(state: DemoState, _: Request) -> Response:
    if not state.guard.is_required:
        return Response.text(503, "Pairing is disabled or not available")
    return Response.json(200, {"message": "New pairing code generated", "pairing_code": state.guard.mint()})


async def pair(state: DemoState, request: Request) -> Response:
    """The code is in a header. Unlike in /api/pair, errors have no `paired` field."""
    client = _client(state, request)
    limited = _limited(state, client)
    if limited:
        return Response.json(429, limited)
    try:
        token = state.guard.redeem(request.headers.get("x-pairing-code", ""), client)
    except LockedOut as error:
        text = f"Too many failed attempts. Try again in {error.retry_after_s}s."
        return Response.json(429, {"error": text, "retry_after": error.retry_after_s})
    if token is None:
        state.attempts.record(client)
        return Response.json(403, {"error": "Invalid pairing code"})
    return _keep(state, token, (None, None, client), "Save this token — use it as Authorization: Bearer <token>")


async def api_pair(state: DemoState, request: Request) -> Response:
    if not _is_json(request):
        return Response.text(415, "Expected request with `Content-Type: application/json`")
    try:
        asked = request.json()
    except ValueError:
        return Response.text(400, "Failed to parse the request body as JSON")
    asked = asked if isinstance(asked, dict) else {}
    client = _client(state, request)
    limited = _limited(state, client)
    if limited:
        return Response.json(429, {"paired": False, **limited})
    try:
        token = state.guard.redeem(_text(asked.get("code")) or "", client)
    except LockedOut as error:
        text = f"Too many attempts. Locked out for {error.retry_after_s}s"
        return Response.json(429, {"paired": False, "error": text, "retry_after": error.retry_after_s})
    if token is None:
        state.attempts.record(client)
        return Response.json(400, {"paired": False, "error": "Invalid or expired pairing code"})
    return _keep(state, token, (_text(asked.get("device_name")), _text(asked.get("device_type")), client), "Pairing successful")


async def listing(state: DemoState, _: Request) -> Response:
    devices = state.devices.list()
    return Response.json(200, {"count": len(devices), "devices": devices})


async def revoke(state: DemoState, request: Request) -> Response:
    device_id, problem = _revoke(state, request)
    if problem:
        return problem
    return Response.json(200, {"device_id": device_id, "message": "Device revoked and bearer token invalidated"})


async def rotate(state: DemoState, request: Request) -> Response:
    device_id, problem = _revoke(state, request)
    if problem:
        return problem
    if state.guard.has_code:
        message = "Old token revoked. A pairing code is already pending; use it or call again after it clears."
        return Response.json(200, {"device_id": device_id, "message": message, "pairing_code": None})
    message = "Old token revoked. Use this code to re-pair the device."
    return Response.json(200, {"device_id": device_id, "message": message, "pairing_code": state.guard.mint()})


def _revoke(state: DemoState, request: Request) -> tuple[str, Response | None]:
    device_id = request.path.removeprefix("/api/devices/").split("/")[0]
    try:
        hashed = state.devices.remove(device_id)
    except OSError as error:
        return device_id, Response.text(500, f"Device registry error: {error.strerror}")
    if hashed is None:
        return device_id, Response.text(404, "Device not found")
    state.guard.hashes.discard(hashed)
    try:
        save(state.home, state.guard.hashes)
    except NotSaved as error:
        return device_id, Response.text(500, f"Token revoked in memory but config persist failed: {error}")
    return device_id, None


def _keep(state: DemoState, token: str, device: tuple[str | None, str | None, str], message: str) -> Response:
    """Register and save a token, or undo both: a token that would not survive a restart is not given out."""
    name, kind, client = device
    try:
        state.devices.add(token_hash(token), name, kind, stamp(), client)
    except OSError as error:
        return _taken_back(state, token, f"Device registry error: {error.strerror}")
    try:
        save(state.home, state.guard.hashes)
    except NotSaved as error:
        return _taken_back(state, token, f"Token persistence error: {error}")
    state.log("new client paired successfully")
    return Response.json(200, {"message": message, "paired": True, "persisted": True, "token": token})


def _taken_back(state: DemoState, token: str, why: str) -> Response:
    state.guard.hashes.discard(token_hash(token))
    state.log(f"pairing failed; rolling back: {why}")
    message = "Pairing failed; the in-process token was not retained."
    return Response.json(500, {"error": why, "message": message, "paired": False, "persisted": False})


def _limited(state: DemoState, client: str) -> dict[str, object] | None:
    if not state.pair_window.allows(client):
        return {"error": "Too many pairing requests. Please retry later.", "retry_after": WINDOW_S}
    locked_s = state.attempts.locked_for(client)
    if locked_s is not None:
        return {"error": f"Too many auth attempts. Try again in {locked_s}s.", "retry_after": locked_s}
    return None


def _client(state: DemoState, request: Request) -> str:
    return client_key(request.peer, request.headers, trusts_headers=state.config.gateway.trust_forwarded_headers)


def _is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").split(";")[0].strip().lower() == "application/json"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
