"""Remove secrets from text before it is stored, shown or logged.

`redact_forms` removes text that has the form of a well-known kind of secret. A `Redactor` also removes a tenant's own secrets, in every encoding that a
program prints by itself. Redact first and cut afterwards: half a key is still half a key.
"""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
SHORTEST = 6
"""Minimum length of a secret. Shorter ones are not redacted: that would remove ordinary words."""
_SHORTEST_ENCODED = 8
_SHORTEST_LINE = 16
"""Minimum length of one line of a multi-line secret, which programs print line by line."""
_SHORTEST_START = 8
_FORMS = re.compile(
    r"zcp_[\w-]{8,256}|\bzc_[0-9a-f]{64}|enc2:[0-9a-fA-F]{8,4000}|\bsk-[\w-]{8,256}|\bxox[a-z]-[\w-]{8,256}|\bgh[a-z]_\w{8,256}|\bAIza[\w-]{20,256}"
    r"|\beyJ[\w-]{8,2000}(\.[\w-]{0,2000}){1,2}|\b\d{6,12}:[\w-]{30,64}|(?<=bearer )[^\s\"']{8,2000}|(?<=://)[^\s/@:]{1,200}:[^\s/@]{1,200}(?=@)",
    re.IGNORECASE,
)


def redact_forms(text: str) -> str:
    return _FORMS.sub(REDACTED, text)


class Redactor:
    """Removes these secrets and everything of a well-known form."""

    def __init__(self, secrets: Iterable[str]) -> None:
        parts = {part for secret in secrets for part in (secret, *_lines(secret)) if len(part) >= SHORTEST}
        self._needles = sorted({form for part in parts for form in _encodings(part)}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text without secrets, including one that is cut off at the end of the text."""
        for needle in self._needles:
            if needle in text:
                text = text.replace(needle, REDACTED)
        return redact_forms(self._without_cut(text))

    def line(self, text: str, longest: int) -> str:
        """Redact, then shorten to one line of printable characters."""
        shown = self(text)
        shown = "".join(character if character.isprintable() else " " for character in shown).strip()
        return shown if len(shown) <= longest else shown[:longest] + "…"

    def _without_cut(self, text: str) -> str:
        for needle in self._needles:
            start = text.rfind(needle[:_SHORTEST_START])
            while start >= 0 and len(text) - start < len(needle):
                if needle.startswith(text[start:]):
                    return text[:start] + REDACTED
                start = text.rfind(needle[:_SHORTEST_START], 0, start + _SHORTEST_START - 1)
        return text


def redacted_json(redact: Callable[[str], str], words: Any) -> Any:
    """Redact JSON values, and remove lone surrogates, which UTF-8 cannot hold."""
    match words:
        case str():
            return redact(words.encode(errors="replace").decode())
        case dict():
            return {redact(name): redacted_json(redact, value) for name, value in words.items()}
        case list() | tuple():
            return [redacted_json(redact, value) for value in words]
        case _:
            return words


def _lines(secret: str) -> Iterator[str]:
    lines = secret.splitlines()
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _SHORTEST_LINE)


def _encodings(secret: str) -> Iterator[str]:
    yield secret
    data = secret.encode(errors="replace")
    encoded = {
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe="", errors="replace"),
        quote(secret, errors="replace"),
        quote_plus(secret, errors="replace"),
        data.hex(),
        data.hex().upper(),
        *_base64(data),
    }
    yield from (form for form in encoded if len(form) >= _SHORTEST_ENCODED)


def _base64(data: bytes) -> Iterator[str]:
    """Return its base64 forms inside a longer text: one per alignment, without the characters that depend on neighbouring bytes."""
    for shift, first in ((0, 0), (1, 2), (2, 3)):
        form = b64encode(bytes(shift) + data).decode()[first : (shift + len(data)) * 8 // 6]
        yield form
        yield form.replace("+", "-").replace("/", "_")
