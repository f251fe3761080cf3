"""Check a configuration with the agent itself: the two commands to run, and what their output means.

The strict parser finds malformed sections, and an empty patch runs the agent's own validation. Neither alone finds everything, and the daemon itself
starts in spite of both kinds of mistake and drops the broken part. The output may repeat values of the configuration, so secrets are replaced by placeholders.
"""

import json
import re
from typing import Any

EMPTY_PATCH_NAME = "nothing.json"
EMPTY_PATCH = b"[]"
"""An empty JSON patch: it changes nothing, and makes the agent validate everything."""
LONGEST_WORDS = 400
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_OBJECT = re.compile(r"(?m)^\{")
_MALFORMED = re.compile(r"config section `[^`\n]{1,200}` is malformed[^\n]{0,300}")


def commands(config_target: str) -> tuple[tuple[str, ...], ...]:
    """Return the commands, to be run one by one in this order. The patch is a file, because standard input would have to be attached."""
    return ("config", "migrate", "--json"), ("config", "patch", "--json", f"{config_target}/{EMPTY_PATCH_NAME}")


def rejection(exit_code: int | None, printed: str) -> str | None:
    """Return why the agent rejects the configuration, in its words; None if it accepts it."""
    text = _COLOURS.sub("", printed)
    malformed = _MALFORMED.search(text)
    if malformed is not None:
        return malformed[0]
    answer = _answer(text)
    if exit_code == 0 and answer.get("valid", True) is True and answer.get("migrated", False) is False:
        return None
    if exit_code == 0 and answer.get("migrated"):
        return "the agent would rewrite the configuration: it was made for another version"
    words = answer.get("message") or answer.get("error") or _last_line(text)
    return str(words).strip()[:LONGEST_WORDS] or f"it ended with code {exit_code}"


def _answer(text: str) -> dict[str, Any]:
    """Return the one JSON object in the output, which starts at the beginning of a line."""
    for start in _OBJECT.finditer(text):
        try:
            found, _ = json.JSONDecoder().raw_decode(text[start.start() :])
        except (ValueError, RecursionError):
            continue
        return found if isinstance(found, dict) else {}
    return {}


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if line.startswith("Error")), lines[-1] if lines else "")
