"""Inspect ELF programs: whether a file is one for this machine, which shared libraries it needs, which version it reports.

Programs are started without a shell, with a minimal environment and a short time limit. A program named by the operator runs as nobody if we are root.
"""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

from zcplatform.errors import BadInput

NOBODY = 65_534
TIMEOUT_S = 20
LONGEST_OUTPUT = 262_144

_HEAD_BYTES = 20
_EXECUTABLE_OR_SHARED = (2, 3)
_STATIC = ("statically linked", "not a dynamic executable")
_NAME = re.compile(r"^(/.*):$", re.MULTILINE)
_LIBRARY = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)
_MISSING = re.compile(r"^\s*(\S+) => not found$", re.MULTILINE)


def is_program(path: Path) -> bool:
    """Whether it is an ELF file of the same class, byte order and machine as our interpreter."""
    head, ours = _head(path), _head(Path(sys.executable))
    if len(head) < _HEAD_BYTES or head[:4] != b"\x7fELF":
        return False
    kind = int.from_bytes(head[16:18], sys.byteorder)
    return kind in _EXECUTABLE_OR_SHARED and (head[4:6], head[18:20]) == (ours[4:6], ours[18:20])


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def require_program(path: Path, named: Path) -> None:
    """Raise BadInput, naming the file as the operator did, unless it is a program for this machine."""
    if not is_program(path):
        raise BadInput(
            "image.not_a_program",
            f"{named} is not an ELF program for this machine",
            "Name the zeroclaw program itself, built for this machine",
        )


def libraries(paths: Sequence[Path], *, as_nobody: bool) -> tuple[Path, ...]:
    """Return every shared library that these files need, including the dynamic loader. Raises BadInput if one is missing on this host.

    ldd may run the file's own loader, so for files that are not part of the platform it runs as nobody, which must be able to read them.
    """
    found: set[Path] = set()
    # With a second name, ldd prints each file's name above its part, however many files there are.
    output = run(["ldd", *map(str, paths), str(paths[0])], as_nobody=as_nobody)
    parts = dict(zip(*[iter(_NAME.split(output)[1:])] * 2, strict=True))
    for path in paths:
        part = parts.get(str(path), "")
        missing = _MISSING.search(part)
        if missing:
            raise BadInput("image.no_library", f"{path.name} needs {missing[1]}, which this host does not have", "Install that library")
        wanted = [Path(match[1]) for match in _LIBRARY.finditer(part)]
        if not wanted and not any(word in part for word in _STATIC):
            raise BadInput("image.no_libraries", f"ldd cannot read {path.name}: {part.strip()[:200]}", "Install the program ldd")
        found.update(wanted)
    return tuple(sorted(found))


def version_text(program: Path) -> str:
    """Return the output of `--version`."""
    return run([str(program), "--version"], as_nobody=True)[:1_000]


def run(command: Sequence[str], *, as_nobody: bool, timeout_s: float = TIMEOUT_S) -> str:
    """Run a program and return its output, whatever its exit code. Raises BadInput if it cannot be started, does not end in time, or prints too much."""
    user = NOBODY if as_nobody and os.geteuid() == 0 else None
    try:
        process = subprocess.Popen(
            command,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", "LC_ALL": "C"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    except OSError as error:
        raise BadInput("image.program_fails", f"{command[0]} cannot be started: {error.strerror}", "Run it yourself to see why") from None
    with process:
        try:
            return _output(cast("IO[bytes]", process.stdout).fileno(), time.monotonic() + timeout_s).decode(errors="replace")
        except TimeoutError:
            raise BadInput(
                "image.program_hangs", f"{command[0]} did not end within {timeout_s:g} s", "Run it yourself to see why"
            ) from None
        finally:
            # Kill its children too: they may hold the pipe open.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _output(pipe: int, deadline: float) -> bytes:
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    output = bytearray()
    while len(output) <= LONGEST_OUTPUT:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not poll.poll(left_s * 1000):
            raise TimeoutError
        data = os.read(pipe, 65_536)
        if not data:
            return bytes(output)
        output += data
    raise TimeoutError
