"""An OpenAI-compatible model in the test's own process: it echoes, keeps the requests it got, and uses a tool when the message names one.

`call NAME {"argument": …}` in a message becomes a call of that tool, in the agent's own text form; the tool's result is then what is echoed.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from zcplatform.demo_agent import echo_model

_CALL = re.compile(r"call (\w+) (\{.*\})")
_CLASSIFIER = "Output exactly one of the tokens above"


class Model:
    def __init__(self) -> None:
        self.asked: list[str] = []
        """The last message of each request that a person's words were in."""

    def heard(self, words: str) -> bool:
        return any(words in text for text in self.asked)

    def completion(self, asked: dict[str, Any]) -> bytes:
        last = str(asked["messages"][-1]["content"])
        self.asked.append(last)
        call = _CALL.search(last)
        if call and _CLASSIFIER not in last:
            words = f"<tool_call>\n{json.dumps({'name': call[1], 'arguments': json.loads(call[2])})}\n</tool_call>"
        else:
            words = f"echo: {last}"
        said = {"role": "assistant", "content": words}
        spent = echo_model.usage(asked["messages"], words)
        head = {"id": "test", "created": 0, "model": "echo"}
        if not asked.get("stream"):
            choice = {"index": 0, "message": said, "finish_reason": "stop"}
            return json.dumps({**head, "object": "chat.completion", "choices": [choice], "usage": spent}).encode()
        head["object"] = "chat.completion.chunk"
        chunks = [
            {**head, "choices": [{"index": 0, "delta": said, "finish_reason": None}]},
            {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": spent},
        ]
        return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode() + b"data: [DONE]\n\n"


@contextmanager
def serving(model: Model, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """The base address of the model while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = model.completion(asked)
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream" if asked.get("stream") else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer((host, port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://{host}:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()
