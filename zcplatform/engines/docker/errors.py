"""Map the engine's errors to codes: one table of (verb, status, words).

The engine's message is quoted, with bounded length. The engine never receives a secret, so its message contains none.
"""

import re
from dataclasses import dataclass

from zcplatform.errors import PlatformError, StepFailed

REGISTRY_HINT = "the engine of this host must be able to reach the registry; then try again"
_LONGEST = 300
_SEARCHED = 8192
"""Longest quote; the cause of a failure may be at the end of a long sentence."""


@dataclass(frozen=True)
class _Row:
    verb: str
    status: int | None
    words: str
    code: str
    hint: str


_ROWS = (
    _Row("create", 409, "", "container.name_taken", "a container of another owner has this name; rename or remove it"),
    _Row("create", 404, "image", "image.missing", "pull or build the image again"),
    _Row("create", 400, "bind source path|invalid mount", "container.mount_missing", "the worker creates the directory again"),
    _Row(
        "start",
        None,
        "already allocated|already in use",
        "container.port_taken",
        "another program listens there; the next attempt uses another port",
    ),
    _Row("start", 404, "network", "network.missing", "the worker creates it again"),
    _Row("start", 404, "no such container", "container.missing", "the worker creates it again"),
    _Row("start", None, "", "container.start_failed", "see the engine's message above and its log"),
    _Row("create_network", None, "overlap|same bridge name", "network.subnet_taken", "the next attempt uses another range of `subnets`"),
    _Row("create_network", 409, "", "network.name_taken", "a network of another owner has this name; remove it"),
    _Row("remove_network", None, "active endpoints", "network.in_use", "remove the containers that are still attached to it"),
    _Row("remove_image", 409, "", "image.in_use", "remove the container that still uses it"),
    _Row(
        "pull",
        None,
        "not found|manifest unknown|denied|unauthorized|name unknown",
        "image.missing",
        "check the name and digest, and that it is public",
    ),
    _Row(
        "pull",
        None,
        "no space left",
        "engine.disk_full",
        "free space where the engine stores its images (`zcplatform doctor` shows where), then try again",
    ),
    _Row(
        "pull",
        None,
        r"connection refused|no such host|server misbehaving|timeout|deadline|unreachable|x509|tls: |gave HTTP response|\bEOF\b",
        "registry.unreachable",
        REGISTRY_HINT,
    ),
    _Row("import", None, "no space left", "engine.disk_full", "free space where the engine stores its images, then try again"),
)


def bounded(words: object) -> str:
    """One printable line."""
    text = re.sub(r"[^\x20-\x7e\xa0-\U0010ffff]+", " ", str(words)).strip()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def refusal(verb: str, subject: str, status: int, words: str) -> PlatformError:
    said, whole = bounded(words), str(words)[:_SEARCHED]
    detail = f"{verb.replace('_', ' ')} {subject}: the engine answered {status}: {said}"
    for row in _ROWS:
        if row.verb == verb and row.status in (None, status) and re.search(row.words, whole, re.IGNORECASE):
            return StepFailed(row.code, detail, row.hint)
    return StepFailed("engine.refused", detail, "see the engine's message above and its log")
