"""The command line as a process of its own, in a home of its own.

The processes are forked by one that has everything imported, which is what most of such a process's time would go to otherwise. Arguments,
environment, standard streams and exit code are as a shell gives and gets them; `test_terminal.py` starts the program as a person does.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path

LIMIT_S = 30
READY = [
    __name__,
    "zcplatform.__main__",
    "zcplatform.adapters.mail",
    "zcplatform.ops.links",
    "zcplatform.worker.root",
    "zcplatform.worker.rotation",
]
_processes = get_context("forkserver")
_processes.set_forkserver_preload(READY)


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {**kept, "HOME": str(home), **more}


def run(home: Path, *arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    return end(arguments, environment(home, **more), stdin)


def ask(api: str, home: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """As somebody with a token for this API."""
    token = home / "token"
    token.write_text("zcp_secret\n")
    return run(home, "--api", api, "--token-file", str(token), *arguments, stdin=stdin)


def end(arguments: tuple[str, ...], environment: Mapping[str, str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """`zcplatform ARGUMENTS` until it has ended, however it did. Raises TimeoutExpired after `LIMIT_S`."""
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder) / name for name in ("in", "out", "err")]
        for path in streams:
            path.write_text(stdin if path.name == "in" else "")
        process = _processes.Process(target=_become, args=(arguments, dict(environment), [str(path) for path in streams]))
        process.start()
        process.join(LIMIT_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(arguments, LIMIT_S)
        return subprocess.CompletedProcess(arguments, process.exitcode, streams[1].read_text(), streams[2].read_text())


def _become(arguments: tuple[str, ...], environment: dict[str, str], streams: list[str]) -> None:
    from zcplatform.__main__ import main

    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(streams):
        opened = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, "w" if number else "r", closefd=False) for number in range(3))
    sys.argv = ["zcplatform", *arguments]
    main()
