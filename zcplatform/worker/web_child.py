"""Run the web process as a child: as its own user, with an inherited listening socket and a few keys. It is restarted when it ends.

It is executed afresh, so it has none of our memory; it has no groups or capabilities and cannot gain any. The worker keeps the listening socket open,
so that a request sent during a restart waits instead of being refused.
"""

import asyncio
import json
import os
import pwd
import signal
import socket
import sys
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from zcplatform.errors import Unavailable
from zcplatform.log import logger
from zcplatform.settings import Settings
from zcplatform.vault.keys import Keys
from zcplatform.worker.loop import Loop

AGAIN_S = 0.2
LONGEST_WAIT_S = 10.0
STOP_S = 5.0
NICENESS = -10
"""The API takes precedence over deploys: twenty agents that start at once must not delay it."""


def listen(path: Path, gid: int) -> socket.socket:
    """Create the socket that the edge connects to. Root and the edge's group may open it."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o117)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    os.chown(path, 0, gid)
    listener.listen(1024)
    return listener


class WebChild:
    """`signing_keys` returns the live keys by number. They are passed again whenever they have changed."""

    def __init__(
        self,
        settings: Settings,
        keys: Keys,
        signing_keys: Callable[[], Mapping[int, bytes]],
        user: pwd.struct_passwd,
        listener: socket.socket,
    ) -> None:
        self.loop = Loop("web", AGAIN_S, self._life, retry_s=_wait_s, longest_s=None)
        self._user = user
        self._listener = listener
        self._handed = {
            "settings": settings.model_dump(mode="json"),
            "seal_public": b64encode(keys.seal_public).decode(),
            "token_pepper": b64encode(keys.token_pepper).decode(),
            "code_mac": b64encode(keys.code_mac).decode(),
        }
        self._signing_keys = signing_keys
        self._told: Mapping[int, bytes] = {}
        self._pipe: int | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def _life(self) -> str:
        """Run one round: start the process and wait until it ends."""
        started = asyncio.get_running_loop().time()
        try:
            code = await self._once()
        finally:
            await self._stop()
        lived_s = asyncio.get_running_loop().time() - started
        words = f"The web process ended with code {code} after {lived_s:.1f} s"
        logger.error("the web process ended and is restarted", code=code, lived_s=round(lived_s, 1))
        if lived_s < LONGEST_WAIT_S:
            raise Unavailable("web.ended", words, "The log of the web process has the reason")
        return words

    async def _once(self) -> int:
        reads, writes = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(reads),
                pass_fds=(self._listener.fileno(), reads),
                stdin=asyncio.subprocess.DEVNULL,
                env={"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"},
                cwd="/",
                start_new_session=True,
            )
            with suppress(OSError):  # a kernel with autogroup scheduling applies nice values only within one session
                await asyncio.to_thread(Path(f"/proc/{self._process.pid}/autogroup").write_text, str(NICENESS))
            os.close(reads)
            reads = -1
            self._told = self._signing_keys()
            await asyncio.to_thread(os.write, writes, _line({**self._handed, **_as_text(self._told)}))
            self._pipe = writes
            return await self._process.wait()
        finally:
            self._pipe = None
            if reads >= 0:
                os.close(reads)
            os.close(writes)

    def hand_again(self) -> None:
        """Send the running process the live signing keys if they have changed. The line is short enough to be written without waiting."""
        live = self._signing_keys()
        if self._pipe is not None and live != self._told:
            with suppress(OSError):
                os.write(self._pipe, _line(_as_text(live)))
                self._told = live

    def _command(self, pipe: int) -> list[str]:
        return [
            "nice",
            f"--adjustment={NICENESS}",
            "setpriv",
            f"--reuid={self._user.pw_uid}",
            f"--regid={self._user.pw_gid}",
            "--clear-groups",
            "--no-new-privs",
            "--bounding-set=-all",
            "--inh-caps=-all",
            "--pdeathsig=KILL",
            sys.executable,
            "-I",
            "-m",
            "zcplatform.web.app",
            str(self._listener.fileno()),
            str(pipe),
        ]

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            await process.wait()


def _wait_s(failures: int) -> float:
    """Return the wait before the next start. A process that keeps ending at once is restarted less and less often."""
    return min(AGAIN_S * (1 << min(failures, 10)), LONGEST_WAIT_S)


def _as_text(signing_keys: Mapping[int, bytes]) -> dict[str, object]:
    return {"signing_keys": {str(number): b64encode(key).decode() for number, key in signing_keys.items()}}


def _line(told: Mapping[str, object]) -> bytes:
    return json.dumps(told).encode() + b"\n"
