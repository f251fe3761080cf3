"""`POST /webhook`: one message, one answer."""

import json
import time

from zcplatform.demo_agent import bearer, turn
from zcplatform.demo_agent.limits import MOST_KEYS, WINDOW_S, client_key
from zcplatform.demo_agent.model import ModelFailed
from zcplatform.demo_agent.state import DemoState
from zcplatform.demo_agent.wire import Request, Response

IDEMPOTENCY_S = 300
_DUPLICATE = "A prior request already reserved this idempotency key; no new dispatch was started"


async def post(state: DemoState, request: Request) -> Response:
    refused = _refuse(state, request)
    if refused:
        return refused
    asked = _body(request)
    if asked is None:
        return Response.json(400, {"error": 'Invalid JSON body. Expected: {"message": "..."}'})
    alias = request.query.get("agent", "").strip()
    agent = state.config.agent(alias) if alias else state.config.default_agent()
    if alias and agent is None:
        return Response.json(400, {"error": f"Unknown agent `{alias}` — no [agents.{alias}] entry configured."})
    if not _is_first(state, request.headers.get("x-idempotency-key", "").strip()):
        return Response.json(200, {"idempotent": True, "message": _DUPLICATE, "status": "duplicate"})
    provider = state.config.provider_of(agent)
    if provider is None:
        state.metrics.error("gateway")
        return Response.json(503, {"error": "needs_quickstart", "url": "/quickstart"})
    is_stream = asked.get("stream") is True and "text/event-stream" in request.headers.get("accept", "").lower()
    began = time.monotonic()
    try:
        answer = await turn.run(state.metrics, provider, str(asked["message"]))
    except ModelFailed as error:
        state.metrics.error("gateway")
        state.log(f"webhook model_provider error: {error}")
        return _events(("error", {"message": str(error)})) if is_stream else Response.json(500, {"error": "LLM request failed"})
    finally:
        state.metrics.latency.observe(time.monotonic() - began)
    if is_stream:
        return _events(("token", {"text": answer.text}), ("done", {}))
    return Response.json(200, {"model": provider.model, "response": answer.text})


def _refuse(state: DemoState, request: Request) -> Response | None:
    client = client_key(request.peer, request.headers, trusts_headers=state.config.gateway.trust_forwarded_headers)
    if not state.webhook_window.allows(client):
        return Response.json(429, {"error": "Too many webhook requests. Please retry later.", "retry_after": WINDOW_S})
    if not state.guard.is_required:
        return None
    locked_s = state.attempts.locked_for(client)
    if locked_s is not None:
        return Response.json(429, {"error": f"Too many auth attempts. Try again in {locked_s}s.", "retry_after": locked_s})
    if not bearer.is_allowed(state, request):
        state.attempts.record(client)
        return bearer.REFUSED
    return None


def _body(request: Request) -> dict[str, object] | None:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        return None
    try:
        asked = request.json()
    except ValueError:
        return None
    is_valid = isinstance(asked, dict) and isinstance(asked.get("message"), str) and isinstance(asked.get("stream", False), bool)
    return asked if is_valid else None


def _is_first(state: DemoState, key: str) -> bool:
    """As in the real agent, the key is used up before the turn runs: a repeat is never answered, not even after a failure."""
    if not key:
        return True
    now = time.monotonic()
    if now - state.used_keys.get(key, -IDEMPOTENCY_S) < IDEMPOTENCY_S:
        return False
    state.used_keys.pop(key, None)
    state.used_keys[key] = now
    if len(state.used_keys) > MOST_KEYS:
        state.used_keys.pop(next(iter(state.used_keys)))
    return True


def _events(*frames: tuple[str, dict[str, str]]) -> Response:
    body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in frames)
    return Response(200, body.encode(), "text/event-stream")
