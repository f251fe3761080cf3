"""A model that repeats what it receives: the OpenAI-compatible service for trials, demonstrations and tests.

    python -m zcplatform.demo_agent.echo_model 127.0.0.1:9100

`POST …/chat/completions` (at once or streamed) answers "echo: " and the user's last message, with usage numbers: one token a word.
`GET …/models` lists one model. A key that begins with `bad` gets 401, so that a wrong key can be demonstrated too.
"""

import asyncio
import contextlib
import json
import signal
import sys
import time
from typing import Any

from zcplatform.demo_agent.wire import Request, Response, serve

MODEL = "echo"
LONGEST_ANSWER = 8_000
REQUEST_BYTES = 4 << 20


def answer(messages: object) -> str:
    """The agent may wrap the user's text (a time, a reminder): the whole last user message is returned."""
    if isinstance(messages, list):
        for message in reversed(messages):
            if isinstance(message, dict) and message.get("role") == "user":
                return f"echo: {_text(message.get('content'))}"[:LONGEST_ANSWER]
    return "echo: "


def _text(content: object) -> str:
    """Content is a text or a list of parts."""
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def usage(messages: object, said: str) -> dict[str, int]:
    read = len(json.dumps(messages).split())
    written = len(said.split())
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def completion(asked: dict[str, Any]) -> Response:
    said = answer(asked.get("messages"))
    head = {"id": "echo-1", "created": int(time.time()), "model": str(asked.get("model", MODEL))}
    spent = usage(asked.get("messages"), said)
    if not asked.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        return Response.json(200, {**head, "object": "chat.completion", "choices": [choice], "usage": spent})
    words = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in said.splitlines(keepends=True))]
    head["object"] = "chat.completion.chunk"
    chunks: list[object] = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in words]
    chunks += [
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**head, "choices": [], "usage": spent},
    ]
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    return Response(200, body.encode(), "text/event-stream")


async def handle(request: Request) -> Response:
    if request.headers.get("authorization", "").startswith("Bearer bad"):
        return Response.json(401, {"error": {"message": "Incorrect API key provided", "type": "invalid_request_error"}})
    if request.method == "GET" and request.path.endswith("/models"):
        return Response.json(200, {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "zcplatform"}]})
    if request.method == "POST" and request.path.endswith("/chat/completions"):
        try:
            asked = request.json()
        except ValueError:
            asked = None
        if isinstance(asked, dict):
            return completion(asked)
        return Response.json(400, {"error": {"message": "the body is not a JSON object", "type": "invalid_request_error"}})
    return Response.json(404, {"error": {"message": "unknown path", "type": "invalid_request_error"}})


async def main(address: str) -> None:
    host, _, port = address.rpartition(":")
    server = await serve(handle, host, int(port), body_bytes=REQUEST_BYTES)
    bound = server.sockets[0].getsockname()
    sys.stdout.write(f"echo model on http://{bound[0]}:{bound[1]}/v1\n")
    sys.stdout.flush()
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await ended.wait()
    server.close()


if __name__ == "__main__":
    if len(sys.argv) != 2 or ":" not in sys.argv[1]:
        sys.exit("usage: python -m zcplatform.demo_agent.echo_model ADDRESS:PORT")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1]))
