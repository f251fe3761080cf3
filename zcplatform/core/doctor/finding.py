"""One finding of the doctor: how serious it is, what it is about, and what to do."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """It works, with a risk that an operator should know."""
    UNKNOWN = "unknown"
    """It could not be checked."""
    PROBLEM = "problem"
    """A promise of the platform does not hold on this host."""


@dataclass(frozen=True)
class Finding:
    level: Level
    subject: str
    sentence: str
    advice: str = ""


def version(text: str) -> tuple[int, ...]:
    """Return the first dotted number in a text, such as `v2.11.7 h1:…`, `1.1.5+ds1`, `6.18.44-generic`."""
    found = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def ok(subject: str, sentence: str) -> Finding:
    return Finding(Level.OK, subject, sentence)


def warning(subject: str, sentence: str, advice: str) -> Finding:
    return Finding(Level.WARNING, subject, sentence, advice)


def unknown(subject: str, sentence: str, advice: str = "run it as root: sudo zcplatform doctor") -> Finding:
    return Finding(Level.UNKNOWN, subject, sentence, advice)


def problem(subject: str, sentence: str, advice: str) -> Finding:
    return Finding(Level.PROBLEM, subject, sentence, advice)
