"""Our own programs as processes of their own, forked by one that has everything imported: most of such a process's time would go to imports otherwise.

Arguments, environment, standard streams and exit code are as a shell gives and gets them. `tests/cli/test_terminal.py` and the agents that
`tests/contract` leaves running are started as a person starts them.
"""

import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path

LIMIT_S = 30
READY = [
    __name__,
    "ctypes",
    "typer.rich_utils",
    "zcplatform.adapters.mail",
    "zcplatform.cli.client",
    "zcplatform.cli.main",
    "zcplatform.demo_agent.gateway",
    "zcplatform.ops.links",
    "zcplatform.worker.app",
]
_processes = get_context("forkserver")
_processes.set_forkserver_preload(READY)


def end(module: str, arguments: tuple[str, ...], environment: Mapping[str, str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """`python -m MODULE ARGUMENTS` until it has ended, however it did. Raises TimeoutExpired after `LIMIT_S`."""
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder) / name for name in ("in", "out", "err")]
        for path in streams:
            path.write_text(stdin if path.name == "in" else "")
        process = _processes.Process(target=_become, args=(module, arguments, dict(environment), [str(path) for path in streams]))
        process.start()
        process.join(LIMIT_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(arguments, LIMIT_S)
        return subprocess.CompletedProcess(arguments, process.exitcode, streams[1].read_text(), streams[2].read_text())


def _become(module: str, arguments: tuple[str, ...], environment: dict[str, str], streams: list[str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(streams):
        opened = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, "w" if number else "r", closefd=False) for number in range(3))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__")
