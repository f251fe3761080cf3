"""JSON from a row, a socket or a box, decoded within bounds: a value that is too long or too deep is an error like any other.

The web process may write any row, so whatever root decodes comes through here.
"""

import json
from typing import Any

LONGEST = 1024 * 1024


def loads(text: str | bytes, longest: int = LONGEST) -> Any:
    """Decode JSON. Raises ValueError if it is invalid, longer than `longest`, or nested too deeply."""
    if len(text) > longest:
        raise ValueError(f"longer than {longest} characters")
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
