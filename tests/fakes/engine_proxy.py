"""A proxy between the worker and the real engine that spoils chosen answers: the work is done or not, the answer lost, late or false.

Requests are forwarded as they are; `spoil` arms one vice for the next request whose first line matches.
"""

import re
import socket
import threading
from contextlib import suppress
from pathlib import Path

VICES = ("drop the answer", "drop the request", "hang", "answer 500", "lie")
LIE = b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"Id":"0000000000000000000000000000","Warnings":[]}'
FAILURE = b'HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n{"message":"it burns"}'


class EngineProxy:
    def __init__(self, path: Path, engine: Path) -> None:
        self.path = path
        self.spoiled: list[str] = []
        self._engine = engine
        self._armed: dict[str, str] = {}
        self._closing = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def spoil(self, line: str, vice: str) -> None:
        """`line` is a pattern of a request's first line, for example `POST .*/containers/create`."""
        assert vice in VICES
        self._armed[line] = vice

    def close(self) -> None:
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as engine:
            try:
                engine.connect(str(self._engine))
                back = threading.Thread(target=self._copy, args=(engine, client), daemon=True)
                started = False
                while data := client.recv(65536):
                    vice = self._vice(data)
                    if vice == "drop the request":
                        return
                    if vice == "answer 500":
                        client.sendall(FAILURE)
                        return
                    if vice == "lie":
                        client.sendall(LIE)
                        return
                    if vice == "hang":
                        self._closing.wait(60)
                        return
                    engine.sendall(data)
                    if vice == "drop the answer":
                        threading.Thread(target=self._copy, args=(client, engine), daemon=True).start()  # the rest of the request
                        engine.recv(65536)
                        client.shutdown(socket.SHUT_RDWR)
                        return
                    if not started:
                        back.start()
                        started = True
            except OSError:
                return

    def _vice(self, data: bytes) -> str | None:
        line = data.split(b"\r\n", 1)[0].decode("latin-1")
        for pattern, vice in list(self._armed.items()):
            if re.match(pattern, line):
                del self._armed[pattern]
                self.spoiled.append(f"{vice}: {line}")
                return vice
        return None

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
