"""The demo's paths, its memory from one run to the next, and its error messages."""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[2]
KEY = hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:8]
"""Two checkouts on one host never share anything: each name below carries it."""
INSTANCE = f"d{KEY[:6]}"
STATE = Path("/var/lib/zcplatform") / f"demo-{KEY}"
RUN = Path("/run") / f"zcplatform-demo-{KEY}"
FACTS = ROOT / ".demo"
PAUSE_S = 0.1
LAST_LINES = 15


class Failed(Exception):
    """A sentence: what did not work. `log` is where its reason is."""

    def __init__(self, sentence: str, log: Path | None = None) -> None:
        super().__init__(sentence)
        self.log = log


def say(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def give_up(failed: Failed) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.write(f"\nscripts/demo: {failed}\n")
    if failed.log is not None and failed.log.exists():
        sys.stderr.write(f"The log is {failed.log}. Its last lines:\n")
        for line in failed.log.read_text(errors="replace").splitlines()[-LAST_LINES:]:
            sys.stderr.write(f"  {line[:400]}\n")
    sys.exit(1)


def log(name: str) -> Path:
    return STATE / f"{name}.log"


def wait(holds: Callable[[], bool], limit_s: float) -> bool:
    """Whether it became true in time."""
    end = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE_S)
    return True


def write(path: Path, text: str) -> None:
    """Whole or not at all, and readable by root only from the first byte on."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


class Memory:
    """What is remembered, on disk as soon as it is said: a run that is killed leaves nothing that a later one does not know of."""

    _path = STATE / "memory.json"

    def __init__(self) -> None:
        try:
            self._facts: dict[str, Any] = json.loads(self._path.read_text())
        except FileNotFoundError:
            self._facts = {}
        except ValueError:
            raise Failed(f"{self._path} cannot be read; move {STATE} away to start afresh") from None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        if self._facts.get("boot") != boot:
            # Processes, addresses and firewall rules did not survive.
            for name in ("processes", "address_added", "host_before"):
                self._facts.pop(name, None)
            self._facts["boot"] = boot

    def __getitem__(self, name: str) -> Any:
        return self._facts.get(name)

    def __setitem__(self, name: str, value: object) -> None:
        self._facts[name] = value
        write(self._path, json.dumps(self._facts, indent=1))

    def put(self, name: str, key: str, value: object) -> None:
        """One entry of a mapping; None takes it away."""
        entries: Mapping[str, object] = {**(self[name] or {}), key: value}
        self[name] = {each: entry for each, entry in entries.items() if entry is not None}
