"""The command line at a terminal: what it draws is read, what a person types is written."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.running import environment
from tests.forked import LIMIT_S

END = "\0"
"""Never drawn: reading up to it is reading to the end."""


class Terminal:
    """One command with a terminal of its own as standard input and standard error; standard output is kept apart."""

    def __init__(self, home: Path, arguments: tuple[str, ...], more: dict[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "zcplatform", *arguments],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env=environment(home, TERM="xterm", **more),
            start_new_session=True,
        )
        os.close(theirs)
        self.drawn, self._unread = "", ""

    def read(self, until: str) -> str:
        """What is drawn up to and with a text; what comes after it is kept for the next call."""
        while until not in self._unread and self._more():
            continue
        found, separator, self._unread = self._unread.partition(until)
        assert separator or until == END, f"ended before {until!r}: {found!r}"
        return found + separator

    def _more(self) -> bool:
        """False when the other end is closed."""
        assert select.select([self._ours], [], [], LIMIT_S)[0], f"nothing more is drawn after {self._unread!r}"
        try:
            part = os.read(self._ours, 4096).decode()
        except OSError:
            part = ""
        self.drawn, self._unread = self.drawn + part, self._unread + part
        return bool(part)

    def answer(self, question: str, text: str) -> None:
        """Wait for a question and type the answer."""
        self.read(question)
        self.type(text)

    def type(self, text: str) -> None:
        os.write(self._ours, f"{text}\n".encode())

    def end(self) -> tuple[int, str]:
        """(exit code, standard output)"""
        self.read(END)
        out, _ = self._process.communicate(timeout=LIMIT_S)
        return self._process.returncode, out.decode()

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        os.close(self._ours)


@contextmanager
def terminal(home: Path, *arguments: str, **more: str) -> Iterator[Terminal]:
    made = Terminal(home, arguments, more)
    try:
        yield made
    finally:
        made.close()
