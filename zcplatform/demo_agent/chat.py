"""`GET /ws/chat?agent=<alias>`: a conversation over a WebSocket, in the real agent's frames."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

from websockets.exceptions import ConnectionClosed, ProtocolError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request as Handshake
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from zcplatform.demo_agent import turn
from zcplatform.demo_agent.config import Agent
from zcplatform.demo_agent.model import ModelFailed
from zcplatform.demo_agent.state import DemoState
from zcplatform.demo_agent.wire import Request, Response, Stream

PROTOCOL = Subprotocol("zeroclaw.v1")
BEARER_PREFIX = "bearer."
LONGEST_MESSAGE = 65_536
_DECISIONS = "approval_response requires request_id and decision in {approve,deny,always}"
_SEND = 'Send {"type":"message","content":"your text"}'


async def upgrade(state: DemoState, request: Request) -> Response:
    if "upgrade" not in request.headers.get("connection", "").lower():
        return Response.text(400, "Connection header did not include 'upgrade'")
    if state.guard.is_required and not state.guard.knows(_token(request)):
        return Response.text(401, "Unauthorized: provide Authorization header, Sec-WebSocket-Protocol bearer, or ?token= query param")
    alias = request.query.get("agent", "")
    if not alias.strip():
        return Response.text(
            400, "Missing required `agent` query parameter — pass `?agent=<alias>` matching a configured [agents.<alias>] entry."
        )
    agent = state.config.agent(alias)
    if agent is None:
        return Response.text(400, f"Unknown agent `{alias}` — no [agents.{alias}] entry configured.")
    return Response(101, takes_over=_conversation(state, agent, request))


def _token(request: Request) -> str:
    header = request.headers.get("authorization", "")
    if header.startswith("Bearer ") and header != "Bearer ":
        return header.removeprefix("Bearer ")
    for protocol in request.headers.get("sec-websocket-protocol", "").split(","):
        if protocol.strip().startswith(BEARER_PREFIX):
            return protocol.strip().removeprefix(BEARER_PREFIX)
    return request.query.get("token", "")


def _conversation(state: DemoState, agent: Agent, request: Request) -> Stream:
    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        socket = Socket(reader, writer)
        if not await socket.open(request.head):
            return
        session: dict[str, Any] = {"message_count": 0, "resumed": False, "session_id": request.query.get("session_id") or str(uuid.uuid4())}
        if request.query.get("name"):
            session["name"] = request.query["name"]
        with contextlib.suppress(ConnectionClosed, ConnectionError):
            await socket.send({**session, "type": "session_start"})
            is_first = True
            async for text in socket.messages():
                for frame in await _answer(state, agent, text, is_first=is_first):
                    await socket.send(frame)
                is_first = False

    return run


async def _answer(state: DemoState, agent: Agent, text: str, *, is_first: bool) -> list[dict[str, Any]]:
    try:
        asked = json.loads(text)
    except (ValueError, RecursionError):
        return [_error(f"Invalid JSON. {_SEND}") if is_first else _error("Invalid JSON", "INVALID_JSON")]
    kind = asked.get("type", "") if isinstance(asked, dict) else ""
    if kind == "connect" and is_first:
        return [{"message": "Connection established", "type": "connected"}]
    if kind == "approval_response" and not is_first:
        return [] if _is_decision(asked) else [_error(_DECISIONS, "INVALID_APPROVAL_RESPONSE")]
    if kind != "message":
        message = f'Unsupported message type "{kind}". {_SEND}'
        return [_error(message) if is_first else _error(message, "UNKNOWN_MESSAGE_TYPE")]
    content = asked.get("content")
    if not isinstance(content, str) or not content:
        return [] if is_first else [_error("Message content cannot be empty", "EMPTY_CONTENT")]
    return await _turn(state, agent, content)


def _is_decision(asked: dict[str, Any]) -> bool:
    """No approval is ever pending here; only the form of the response is checked."""
    return bool(asked.get("request_id")) and asked.get("decision") in ("approve", "deny", "always")


async def _turn(state: DemoState, agent: Agent, content: str) -> list[dict[str, Any]]:
    provider = state.config.provider_of(agent)
    if provider is None:
        return [_error("No model provider is configured for this agent", "NEEDS_ONBOARDING")]
    try:
        answer = await turn.run(state.metrics, provider, content)
    except ModelFailed as error:
        state.log(f"chat model_provider error: {error}")
        return [_error(str(error), "PROVIDER_ERROR")]
    tokens = {"input_tokens": answer.tokens[0], "output_tokens": answer.tokens[1]}
    used = {**tokens, "cached_input_tokens": 0, "cost_usd": 0.0, "model": provider.model, "provider_ref": provider.name}
    done = {
        "type": "done",
        "full_response": answer.text,
        **tokens,
        "tokens_used": sum(answer.tokens),
        "cost_usd": None,
        "model": provider.model,
        "provider": provider.name,
        "provider_ref": provider.name,
        "max_context_tokens": 32_000,
        "last_input_tokens": answer.tokens[0],
        "last_serving_model": provider.model,
        "last_serving_provider_ref": provider.name,
        "usage_by_provider": [used],
    }
    return [{"content": answer.text, "type": "chunk"}, done]


def _error(message: str, code: str | None = None) -> dict[str, Any]:
    return {"message": message, "type": "error", **({"code": code} if code else {})}


class Socket:
    """The protocol of the websockets library, without its I/O, on a connection that began as HTTP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = ServerProtocol(subprotocols=[PROTOCOL], select_subprotocol=_select, max_size=LONGEST_MESSAGE, extensions=None)

    async def open(self, head: bytes) -> bool:
        """Returns False if the handshake was invalid; it has been answered then."""
        self._protocol.receive_data(head)
        for event in self._protocol.events_received():
            if isinstance(event, Handshake):
                response = self._protocol.accept(event)
                self._protocol.send_response(response)
                await self._flush()
                return response.status_code == 101
        return False

    async def send(self, frame: dict[str, Any]) -> None:
        self._protocol.send_text(json.dumps(frame, separators=(",", ":"), ensure_ascii=False).encode())
        await self._flush()

    async def messages(self) -> AsyncIterator[str]:
        """Yields texts until either side closes. Joins fragments and answers pings."""
        parts: list[bytes] = []
        while data := await self._reader.read(65_536):
            self._protocol.receive_data(data)
            await self._flush()
            for event in self._protocol.events_received():
                if not isinstance(event, Frame) or event.opcode not in (Opcode.TEXT, Opcode.CONT):
                    continue
                parts.append(bytes(event.data))
                if event.fin:
                    text, parts = b"".join(parts), []
                    yield text.decode(errors="replace")
            if self._protocol.close_expected():
                return
        with contextlib.suppress(ProtocolError, EOFError):
            self._protocol.receive_eof()

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._writer.write(data)
        await self._writer.drain()


def _select(_: ServerProtocol, offered: Any) -> Subprotocol | None:
    """Clients offer the bearer as a second sub-protocol; only our own protocol is confirmed."""
    return PROTOCOL if PROTOCOL in offered else None
