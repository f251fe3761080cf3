"""The other side of a webhook: keeps every post as it came."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Post:
    path: str
    authorization: str | None
    body: dict[str, Any]


@dataclass
class Receiver:
    url: str = ""
    posts: list[Post] = field(default_factory=list)

    def said(self, words: str) -> list[Post]:
        return [post for post in self.posts if words in post.body["content"]]


@contextmanager
def receiving(host: str = "127.0.0.1", port: int = 0) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.posts.append(Post(self.path, self.headers["Authorization"], body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer((host, port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        receiver.url = f"http://{host}:{server.server_port}"
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
