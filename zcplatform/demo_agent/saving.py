"""Writes the paired tokens back into `config.toml` the way the real agent does: sealed, atomically, everything else left as it was."""

import contextlib
import json
import os
import re
import secrets
import shutil
import tomllib
from collections.abc import Iterable
from pathlib import Path

from zcplatform.agent.sealed import seal
from zcplatform.demo_agent.config import read_key

_TOKENS = re.compile(r"(?m)^paired_tokens\s*=\s*\[[^\]]*\][^\n]*\n?")
_GATEWAY = re.compile(r"(?m)^\[gateway\][^\n]*\n")


class NotSaved(Exception):
    """The file on disk is unchanged."""


def save(home: Path, hashes: Iterable[str]) -> None:
    path = home / "config.toml"
    try:
        key = read_key(home / ".secret_key")
        text = with_tokens(path.read_text("utf-8"), [seal(key, hashed) for hashed in hashes])
        _replace(path, text)
    except (OSError, ValueError) as error:
        raise NotSaved("Failed to persist paired tokens to config.toml") from error


def with_tokens(text: str, sealed: list[str]) -> str:
    """The text with these tokens. It is edited as text, so that comments stay, and then parsed: the result must equal the intended document."""
    wanted = tomllib.loads(text)
    wanted.setdefault("gateway", {})
    wanted["gateway"].pop("paired_tokens", None)
    wanted.setdefault("tools", {"optional": ["*"]})
    edited = _TOKENS.sub("", text, count=1)
    if "tools" not in tomllib.loads(text):
        edited += '\n[tools]\noptional = ["*"]\n'
    if not _GATEWAY.search(edited):
        edited += "\n[gateway]\n"
    if sealed:
        wanted["gateway"]["paired_tokens"] = sealed
        line = f"paired_tokens = {json.dumps(sealed)}\n"
        edited = _GATEWAY.sub(lambda match: match[0] + line, edited, count=1)
    if tomllib.loads(edited) != wanted:
        raise ValueError("the file has a form that cannot be edited safely")
    return edited


def _replace(path: Path, text: str) -> None:
    backup = path.with_name(path.name + ".bak")
    temporary = path.with_name(f".{path.name}.tmp-{secrets.token_hex(16)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        shutil.copyfile(path, backup)
        shutil.copymode(path, backup)
        _sync(backup)
        _sync(path.parent)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)
    with contextlib.suppress(OSError):
        backup.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
