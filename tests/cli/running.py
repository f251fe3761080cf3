"""The command line as a process of its own, in a home of its own."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests import forked


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {**kept, "HOME": str(home), **more}


def run(home: Path, *arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    return run_forked(arguments, environment(home, **more), stdin)


def run_signed_in(api: str, home: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """As somebody with a token for this API."""
    token = home / "token"
    token.write_text("zcp_secret\n")
    return run(home, "--api", api, "--token-file", str(token), *arguments, stdin=stdin)


def run_forked(arguments: tuple[str, ...], environment: Mapping[str, str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    return forked.end("zcplatform", arguments, environment, stdin)
