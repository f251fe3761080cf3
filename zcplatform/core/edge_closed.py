"""Paths that are closed to visitors, and spellings of paths that the edge rejects with 400 before it matches any route.

Caddy's path matcher normalizes upper case, `//`, `/./`, `..`, `%61` and `%2e`. Every other spelling that a server might decode differently is
rejected.
"""

from typing import Any

PANEL = ["/internal*"]
"""Paths of the web process that only the edge requests."""

ODD: list[dict[str, Any]] = [
    # The decoded path: not starting with a slash (`*`, `x:y`), `;`, backslash, control characters, what is not UTF-8, a segment ending in dot
    # or space.
    {"vars_regexp": {"{http.request.uri.path}": {"pattern": r"^$|^[^/]|[;\\\x00-\x1f\x7f\x{FFFD}]|[. ](/|$)"}}},
    # The path as it was sent: encoded slash, backslash, NUL, `;` or `%`, which a server may decode a second time.
    {"vars_regexp": {"{http.request.uri}": {"pattern": r"(?i)^[^?]*%(2f|5c|00|3b|25)"}}},
]
