"""The supported versions of the agent: every 0.8, whose configuration is schema 3."""

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"(?:^|\s)v?([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})(-[0-9A-Za-z.-]{1,32})?(?=[\s+]|$)")
_LONGEST = 200


class NotAVersion(ValueError):
    """The text contains no version."""


@dataclass(frozen=True, order=True)
class Version:
    major: int
    minor: int
    patch: int
    suffix: str = ""

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}{self.suffix}"


FIRST = Version(0, 8, 0)
BEYOND = Version(0, 9, 0)


def parse(text: str) -> Version:
    """Parse a version (`0.8.7`, `v0.8.7`) or the output of `zeroclaw --version` (`zeroclaw 0.8.7 (unknown)`)."""
    match = _NUMBER.search(text[:_LONGEST])
    if match is None:
        raise NotAVersion(f"{text[:60]!r} does not name a version such as 0.8.7")
    return Version(int(match[1]), int(match[2]), int(match[3]), match[4] or "")


def is_supported(version: Version) -> bool:
    return FIRST <= version < BEYOND


def problem(version: Version) -> str | None:
    """Return why this version is not supported; None if it is."""
    if is_supported(version):
        return None
    age = "older" if version < FIRST else "newer"
    return f"ZeroClaw {version} is {age} than this platform supports: it needs at least {FIRST} and less than {BEYOND}"
