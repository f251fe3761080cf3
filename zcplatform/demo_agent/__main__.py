"""The command line: `[--verbose] daemon`, `--version`, `channel list`, `config migrate --json`, `config patch --json (- | FILE)`."""

import asyncio
import functools
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from zcplatform.demo_agent import VERSION, checks, config, gateway, listing, ownership, state, wire
from zcplatform.demo_agent.overrides import CannotStart

USAGE = "Usage: zeroclaw [--verbose] daemon | --version | channel list | config migrate --json | config patch --json (- | FILE)"


def main(arguments: Sequence[str]) -> int:
    words = [word for word in arguments if word not in ("--verbose", "-v")]
    if words == ["--version"]:
        say(f"zeroclaw {VERSION}")
        return 0
    home = config.directory()
    try:
        match words:
            case ["daemon"]:
                asyncio.run(daemon(home, logger(is_verbose=len(words) < len(arguments))))
            case ["channel", "list"]:
                config.load(home, lambda _: None)
                sys.stdout.write(listing.channels())
                return 0
            case ["config", "migrate", "--json"]:
                return _checked(checks.migrate(home))
            case ["config", "patch", "--json", "-"] | ["config", "patch", "-", "--json"]:
                return _checked(checks.patch(home, sys.stdin.read()))
            case ["config", "patch", "--json", path]:
                return _checked(checks.patch(home, Path(path).read_text("utf-8")))
    except CannotStart as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    sys.stderr.write(f"error: unrecognized arguments {' '.join(arguments)!r}\n\n{USAGE}\n")
    return 2


async def daemon(home: Path, log: Callable[[str], None]) -> NoReturn:
    ownership.acquire(home)
    ownership.shared(home)
    settings = config.load(home, log)
    log("Config loaded")
    try:
        running = state.make(home, settings, log)
    except OSError as error:
        raise CannotStart(f"the device registry in {home / 'data'} cannot be written: {error.strerror}") from None
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    log(f"Starting the ZeroClaw demo agent on {settings.gateway.host}:{settings.gateway.port}")
    server = await _listen(running)
    say(f"ZeroClaw Gateway (demo agent {VERSION}) listening on http://{settings.gateway.host}:{settings.gateway.port}")
    if running.guard.is_required and not running.guard.hashes:
        say(f"One-time pairing code: {running.guard.mint()}")
    await ended.wait()
    server.close()
    log("stopped")
    sys.stdout.flush()
    # A turn that still waits for its provider in a thread must not delay the stop.
    os._exit(0)


async def _listen(running: state.DemoState) -> asyncio.Server:
    """If its port is taken, the real daemon keeps running and retries. Here the start fails, which shows the mistake sooner."""
    where = running.config.gateway
    try:
        return await wire.serve(functools.partial(gateway.handle, running), where.host, where.port)
    except OSError as error:
        raise CannotStart(f"the gateway cannot listen on {where.host}:{where.port}: {error.strerror}") from None


def _checked(result: tuple[int, dict[str, object]]) -> int:
    code, answer = result
    text = json.dumps(answer, indent=2) + "\n"
    (sys.stderr if "code" in answer else sys.stdout).write(text)
    return code


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def logger(*, is_verbose: bool) -> Callable[[str], None]:
    def log(line: str) -> None:
        if is_verbose:
            say(f"[system] {state.stamp()} INFO {line}")

    return log


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
