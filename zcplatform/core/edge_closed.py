"""The paths nobody reaches from outside, and the spellings of paths that are refused before anything else is asked.

Caddy's path matcher sees through upper case, `//`, `/./`, `..`, `%61` and `%2e`, not through the rest: what the rest consists of is a 400.
"""

from typing import Any

PANEL = ["/internal*"]
"""Of web: what only the edge asks."""

ODD: list[dict[str, Any]] = [
    # The decoded path: not starting with a slash (`*`, `x:y`), `;`, backslash, control characters, what is not UTF-8, a segment ending in dot
    # or space.
    {"vars_regexp": {"{http.request.uri.path}": {"pattern": r"^$|^[^/]|[;\\\x00-\x1f\x7f\x{FFFD}]|[. ](/|$)"}}},
    # The path as it was sent: encoded slash, backslash, NUL, `;` or `%`, which somebody may decode a second time.
    {"vars_regexp": {"{http.request.uri}": {"pattern": r"(?i)^[^?]*%(2f|5c|00|3b|25)"}}},
]
