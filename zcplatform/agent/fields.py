"""Fields of provider families and channel types, as the catalog describes them, and checks of their values."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

Value = bool | int | float | str | tuple[str, ...]
"""The type of a field's value."""

LONGEST_TEXT = 2_000
LONGEST_LINES = 20_000
MOST_TEXTS = 1_000
_MOST_WHOLE = 2**53
_CONTROLS = {"\t": "tab", "\n": "line feed", "\r": "carriage return", "\x00": "null"}


class Type(StrEnum):
    TEXT = "text"
    TEXTS = "texts"
    WHOLE = "whole"
    NUMBER = "number"
    YES_NO = "yes_no"
    CHOICE = "choice"
    TABLE = "table"
    TABLES = "tables"


class Check(StrEnum):
    """A further rule for a text."""

    URL = "url"
    HOST = "host"
    PATH = "path"
    BROKER = "broker"
    REGION = "region"
    PAIR = "pair"
    LABEL = "label"


@dataclass(frozen=True)
class Field:
    """One field. `default` is the agent's own default; `preset` is written if the settings have no value, `fixed` always (unless the field `unless` has one)."""

    name: str
    type: Type
    help: str = ""
    secret: bool = False
    plain: bool = False
    """A secret that the agent does not decrypt: it is written in clear text."""
    required: bool = False
    """The key must be in the file, or the agent drops the whole entry."""
    needed: bool = False
    """A value is required."""
    default: Any = None
    preset: Any = None
    fixed: Any = None
    unless: str | None = None
    closed: str | None = None
    """Why it cannot be set."""
    choices: tuple[str, ...] = ()
    closed_choices: Mapping[str, str] | None = None
    """Values of the agent that cannot be chosen, with the reason."""
    least: float | None = None
    most: float | None = None
    least_length: int = 1
    lines: bool = False
    """Text of several lines."""
    binds: bool = False
    """Decides, beside the server's name, where or how a secret of the same entry is sent (port, TLS)."""
    check: Check | None = None
    agent_type: str | None = None
    """The agent's type, if ours is narrower."""

    @property
    def is_open(self) -> bool:
        """Whether it can be set in the settings."""
        return self.closed is None and not self.secret

    @property
    def names_a_server(self) -> bool:
        return self.check in (Check.URL, Check.HOST, Check.BROKER)


def read(name: str, row: Mapping[str, Any]) -> Field:
    known = dict(row)
    known["type"] = Type(known["type"])
    if "check" in known:
        known["check"] = Check(known["check"])
    if "choices" in known:
        known["choices"] = tuple(known["choices"])
    return Field(name, **known)


def problem(field: Field, value: object) -> str | None:
    """Return what is wrong with a value; None if it is valid."""
    match field.type:
        case Type.YES_NO:
            return None if isinstance(value, bool) else "must be true or false"
        case Type.WHOLE | Type.NUMBER:
            return _number_problem(field, value)
        case Type.CHOICE:
            if field.closed_choices and value in field.closed_choices:
                return f"cannot be {value}: {field.closed_choices[str(value)]}"
            return None if value in field.choices else f"must be one of {', '.join(field.choices)}"
        case Type.TEXT:
            return text_problem(field, value)
        case Type.TEXTS:
            return _texts_problem(field, value)
        case Type.TABLE | Type.TABLES:
            return field.closed or "cannot be set"


def _number_problem(field: Field, value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int if field.type is Type.WHOLE else int | float):
        return "must be a whole number" if field.type is Type.WHOLE else "must be a number"
    least, most = field.least or 0, field.most if field.most is not None else _MOST_WHOLE
    return None if least <= value <= most else f"must be from {least:g} to {most:g}"


def text_problem(field: Field, value: object) -> str | None:
    if not isinstance(value, str):
        return "must be text"
    if not is_plain(value, lines=field.lines):
        return "contains characters that cannot be written"
    if len(value) > (LONGEST_LINES if field.lines else LONGEST_TEXT):
        return "is too long"
    if (field.needed or field.secret) and len(value.strip()) < field.least_length:
        return "must not be empty" if field.least_length == 1 else f"must have at least {field.least_length} characters"
    return _check_problem(field.check, value) if value and field.check else None


def _check_problem(check: Check, value: str) -> str | None:
    match check:
        case Check.URL:
            return None if is_address(value) else "must be an http or https address"
        case Check.HOST:
            return None if is_host(value) else "must be the name of a server"
        case Check.PATH:
            return (
                None if re.fullmatch(r"/[A-Za-z0-9_.~/-]{1,100}", value) and ".." not in value and "//" not in value else "must be a path"
            )
        case Check.BROKER:
            return None if is_address(value, "mqtt", "mqtts") else "must be mqtt://HOST:PORT or mqtts://HOST:PORT"
        case Check.REGION:
            return None if re.fullmatch("[a-z0-9-]{1,40}", value) else "must be the name of a region"
        case Check.LABEL:
            return None if re.fullmatch("[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", value) else "must be letters, digits and hyphens"
        case Check.PAIR:
            return None if re.fullmatch(r"[^.\s]+\.[^.\s]+", value) else "must be ID.SECRET"


def _texts_problem(field: Field, value: object) -> str | None:
    if not isinstance(value, list | tuple) or len(value) > MOST_TEXTS:
        return f"must be a list of at most {MOST_TEXTS} texts"
    for one in value:
        if not isinstance(one, str) or not one.strip() or len(one) > LONGEST_TEXT or not is_plain(one):
            return "must hold texts that are not empty"
        if field.choices and one not in field.choices:
            return f"must hold only {', '.join(field.choices)}"
    return None


def is_text(value: str) -> bool:
    """Whether UTF-8 can encode it. It cannot encode a lone surrogate."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def is_plain(text: str, *, lines: bool = False) -> bool:
    """Whether it has no control characters and nothing that UTF-8 cannot encode."""
    allowed = "\n\r\t" if lines else ""
    return all((c >= " " and c != "\x7f" and not "\ud800" <= c <= "\udfff") or c in allowed for c in text)


def unsendable(value: str, *, header: bool = False, password: bool = False, lines: bool = False) -> str | None:
    """Describe the first character that was copied along with a key from a document or chat, by code and name; None if there is none.

    A `header` is sent with HTTP and may contain printable ASCII only. A `password` may contain every visible character.
    """
    for position, character in enumerate(value, 1):
        kind = unicodedata.category(character)
        is_odd = (
            (header and not character.isascii())
            or kind in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
            or (kind == "Zs" and character != " ")
            or (kind in ("Pi", "Pf") and not password)
        )
        if is_odd and not (lines and character in "\n\r\t"):
            name = unicodedata.name(character, _CONTROLS.get(character, "a control character"))
            return f"U+{ord(character):04X} ({name.lower()}) at position {position}"
    return None


def is_address(uri: str, *schemes: str) -> bool:
    """Whether it is an absolute address without user, password and fragment."""
    if not uri.isascii() or any(c <= " " or c in '\x7f"<>\\^`{|}' for c in uri):
        return False
    try:
        parts = urlsplit(uri)
        return (
            parts.scheme in (schemes or ("http", "https"))
            and is_host(parts.hostname or "")
            and parts.username is None
            and not parts.fragment
            and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        return False


def is_host(name: str) -> bool:
    return (
        len(name) <= 253 and re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*", name) is not None
    )
