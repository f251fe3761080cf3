"""A real edge for tests: `zcplatform edge` as a subprocess on free ports, agents and a web that record what reaches them."""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from zcplatform import ids
from zcplatform.adapters import rundirs
from zcplatform.adapters.caddy import Caddy, certificate_stamp, save_document
from zcplatform.adapters.users import ensure_user
from zcplatform.core import edge
from zcplatform.settings import Settings
from zcplatform.worker.edge import EdgeLoop

DEADLINE_S = 20


_PORTS = itertools.cycle(range(10_000, 20_000))


def free_port() -> int:
    """Below the range that the kernel takes the ports of outgoing connections from: one of these could have it before it is listened on."""
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("0.0.0.0", port))
            return port
    raise AssertionError("no port is free")


class Recorder:
    """An HTTP server that answers 200 to everything and keeps each request as it came."""

    def __init__(self, extra: str = "") -> None:
        self.heads: list[str] = []
        self.rests: list[bytes] = []
        self._extra = extra

    @property
    def targets(self) -> list[str]:
        return [head.split(" ")[1] for head in self.heads]

    def header(self, name: str) -> list[str]:
        """The values of a header in the last request."""
        lines = [line.partition(":") for line in self.heads[-1].split("\r\n")[1:]]
        return [value.strip() for key, _, value in lines if key.lower() == name.lower()]

    def answer(self, target: str) -> str:
        body = f"agent saw {target}"
        return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{self._extra}\r\n{body}"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.heads.append(head.removesuffix("\r\n\r\n"))
                length = self.header("content-length")
                if length:
                    self.rests.append(await reader.readexactly(int(length[0])))
                elif self.header("transfer-encoding"):
                    self.rests.append(await reader.readuntil(b"0\r\n\r\n"))
                writer.write(self.answer(self.targets[-1]).encode())
                await writer.drain()
        writer.close()


class Web(Recorder):
    """Stands for the web process: says yes to names in `names`."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def answer(self, target: str) -> str:
        path, _, query = target.partition("?")
        if path == "/internal/ask" and query.removeprefix("domain=") not in self.names:
            return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        return super().answer(target)


class EdgeProcess:
    """`zcplatform edge`; ready when Caddy says that it serves."""

    def __init__(self, settings: Settings) -> None:
        values = json.loads(settings.model_dump_json(exclude_none=True))
        self._environment = {**os.environ, **{f"ZCPLATFORM_{key.upper()}": _text(value) for key, value in values.items()}}
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._has_ended = False
        self.lines: list[str] = []

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        command = [sys.executable, "-m", "zcplatform.edge"]
        self._process = await asyncio.create_subprocess_exec(
            *command,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        self._has_ended = False
        serving: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read(serving))
        await asyncio.wait_for(serving, DEADLINE_S)

    async def _read(self, serving: "asyncio.Future[None]") -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self.lines.append(line.decode())
            if "serving initial configuration" in self.lines[-1] and not serving.done():
                serving.set_result(None)
        self._has_ended = True
        if not serving.done():
            serving.set_exception(AssertionError("the edge ended: " + "".join(self.lines)))

    async def end(self, number: int = signal.SIGTERM) -> int:
        if self._process is None or self._reader is None:
            return 0
        # Popen looks whether the process lives and would take its exit code away from asyncio.
        if not self._has_ended:
            self._process.send_signal(number)
        code = await asyncio.wait_for(self._process.wait(), DEADLINE_S)
        await self._reader
        self._process = None
        return code


class Rig:
    def __init__(self, folder: Path, **changes: Any) -> None:
        chosen: dict[str, Any] = {"http_port": free_port(), "https_port": free_port(), "ask_port": free_port(), "domain": "example.test"}
        self.settings = Settings(run_dir=folder / "run", data_dir=folder / "data", ports="1024-65535", **{**chosen, **changes})
        rundirs.prepare(self.settings)
        self.edge_gid = ensure_user(self.settings.edge_user).pw_gid
        self.site = edge.Site.of(self.settings)
        self.caddy = Caddy.of(self.settings)
        self.process = EdgeProcess(self.settings)
        self.web = Web()
        self.routes: dict[str, edge.Route] = {}
        self.loop = EdgeLoop(self.caddy, self.wanted, self.save, settle_s=0.05, period_s=0.2)
        self._servers: list[asyncio.Server] = []
        self._silent = itertools.count(1_100)

    @property
    def port(self) -> int:
        return self.settings.http_port if self.settings.tls == "off" else self.settings.https_port

    def host(self, slug: str) -> str:
        return self.site.host(slug)

    def restamp(self) -> None:
        """As the worker does in each round."""
        stamp = certificate_stamp(self.settings.tls_certificate, self.settings.tls_key)
        self.site = edge.Site.of(self.settings, stamp)

    def wanted(self) -> dict[str, Any]:
        return edge.document(self.site, list(self.routes.values()))

    def save(self, document: dict[str, Any]) -> None:
        save_document(self.settings.edge_document, document, self.edge_gid)

    def route(self, slug: str, port: int | None, listeners: tuple[edge.Listener, ...] = (), hooks: tuple[str, ...] = ()) -> str:
        self.routes[slug] = self.site.check(edge.Route(slug, ids.new_tenant_id(), port, listeners, hooks))
        return self.routes[slug].tenant_id

    def silent(self, slug: str) -> str:
        """A tenant whose agent does not listen."""
        return self.route(slug, next(self._silent))

    async def agent(self, talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> int:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def recorder(self, slug: str, extra: str = "") -> tuple[Recorder, str]:
        recorder = Recorder(extra)
        return recorder, self.route(slug, await self.agent(recorder.talk))

    async def start_web(self) -> None:
        self._servers.append(await asyncio.start_unix_server(self.web.talk, self.settings.web_socket))
        os.chown(self.settings.web_socket, 0, self.edge_gid)
        self.settings.web_socket.chmod(0o660)

    async def close(self) -> None:
        await self.process.end(signal.SIGKILL)
        for server in self._servers:
            server.close()

    async def raw(self, data: bytes, port: int | None = None) -> bytes:
        """What comes back for these bytes, until the other side closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port or self.port)
        try:
            writer.write(data)
            return await asyncio.wait_for(reader.read(), DEADLINE_S)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def ask(self, host: str, target: str = "/", method: str = "GET", headers: str = "", body: str = "") -> "Answer":
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        text = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{length}{headers}\r\n{body}"
        return Answer(await self.raw(text.encode("latin-1")))


class Answer:
    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1]) if data else 0
        self.headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]

    def header(self, name: str) -> str | None:
        found = [value for key, value in self.headers if key == name.lower()]
        assert len(found) <= 1, f"{name} is there {len(found)} times"
        return found[0] if found else None


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """One that the edge's user can enter, which pytest's own are not (it closes them for everybody again and again)."""
    folder = Path(tempfile.mkdtemp(prefix="zce"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextlib.asynccontextmanager
async def rig(**changes: Any) -> AsyncIterator[Rig]:
    """Not started yet."""
    with open_folder() as folder:
        made = Rig(folder, **changes)
        try:
            yield made
        finally:
            await made.close()


@contextlib.asynccontextmanager
async def started(**changes: Any) -> AsyncIterator[Rig]:
    """With web, a stopped tenant (asleep) and one whose agent is dead (dead); the test makes the others and applies."""
    async with rig(**changes) as found:
        await found.start_web()
        found.route("asleep", None)
        found.silent("dead")
        await found.process.start()
        yield found


async def until(fact: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not fact():
            await asyncio.sleep(0)


def verify_nothing() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
