"""The command line as a subprocess, in a home of its own."""

import os
import subprocess
import sys
from pathlib import Path

LIMIT_S = 30


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return {**kept, "HOME": str(home), **more}


def run(home: Path, *arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zcplatform", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, input=stdin, timeout=LIMIT_S, env=environment(home, **more))


def ask(api: str, home: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """As somebody with a token for this API."""
    token = home / "token"
    token.write_text("zcp_secret\n")
    return run(home, "--api", api, "--token-file", str(token), *arguments, stdin=stdin)
