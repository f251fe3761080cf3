"""Read the settings file and the environment. Every refusal names the key and says in words what it must be."""

import json
import os
import stat
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from zcplatform.errors import CannotRun
from zcplatform.settings.model import RENAMED, Settings

DEFAULT_PATH = Path("/etc/zcplatform/zcplatform.toml")
_HINT = "docs/reference/settings.md lists every key"
_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "extra_forbidden": lambda _: "is not a setting",
    "missing": lambda _: "is missing",
    "int_type": lambda _: "must be a whole number",
    "int_parsing": lambda _: "must be a whole number",
    "int_from_float": lambda _: "must be a whole number",
    "float_type": lambda _: "must be a number",
    "float_parsing": lambda _: "must be a number",
    "finite_number": lambda _: "must be a finite number",
    "greater_than_equal": lambda context: f"must be at least {context['ge']:g}",
    "less_than_equal": lambda context: f"must be at most {context['le']:g}",
    "bool_type": lambda _: "must be true or false",
    "bool_parsing": lambda _: "must be true or false",
    "string_type": lambda _: "must be text in quotes",
    "string_too_short": lambda _: "must not be empty",
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "path_type": lambda _: "must be a path in quotes",
    "list_type": lambda _: "must be a list",
    "dict_type": lambda _: "must be a table",
    "model_type": lambda _: "must be a table",
    "literal_error": lambda context: f"must be one of {context['expected']}".replace("'", ""),
    "value_error": lambda context: str(context["error"]),
}


def load(path: Path | None = None) -> Settings:
    """Read the settings file; without `path`, the one named by ZCPLATFORM_SETTINGS, else the default one, which may be missing.

    Raises CannotRun with the name of the key that is wrong.
    """
    named = path or (Path(os.environ["ZCPLATFORM_SETTINGS"]) if "ZCPLATFORM_SETTINGS" in os.environ else None)
    values = _read(named) if named else (_read(DEFAULT_PATH) if DEFAULT_PATH.exists() else {})
    try:
        return Settings(**_renamed(values) | _renamed(_environment()))
    except ValidationError as error:
        raise CannotRun("settings.invalid", f"{named or DEFAULT_PATH}: {_words(error.errors()[0])}", _HINT) from None


def _words(error: ErrorDetails) -> str:
    """A model's own refusal is a sentence that begins with the key."""
    known = _WORDS.get(error["type"])
    what = known(error.get("ctx", {})) if known else f"is not valid: {error['msg']}"
    key = ".".join(str(part) for part in error["loc"] if part not in ("[key]", "literal['syslog']", "path"))
    return f"`{key}` {what}" if key else what


def _renamed(values: dict[str, Any]) -> dict[str, Any]:
    """Old names of settings keep working, with a note on standard error."""
    found = dict(values)
    for old, new in RENAMED.items():
        if old in found:
            sys.stderr.write(f"The setting `{old}` is now called `{new}`. The old name still works.\n")
            value = found.pop(old)
            found.setdefault(new, value)
    return found


def _environment() -> dict[str, Any]:
    """Values from variables, as text; lists and tables as JSON."""
    found: dict[str, Any] = {}
    for name in [*Settings.model_fields, *RENAMED]:
        variable = f"ZCPLATFORM_{name.upper()}"
        if variable not in os.environ:
            continue
        found[name] = os.environ[variable]
        if isinstance(Settings.model_fields[RENAMED.get(name, name)].default, list | dict):
            try:
                found[name] = json.loads(found[name])
            except ValueError as error:
                raise CannotRun("settings.syntax", f"{variable} is not JSON: {error}", _HINT) from None
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno())
            if mode.st_uid not in (0, os.geteuid()) or mode.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise CannotRun("settings.rights", f"{path} can be changed by other users", f"chown root {path} && chmod 644 {path}")
            return tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise CannotRun("settings.syntax", f"{path} is not TOML: {error}", "correct that line") from None
    except UnicodeDecodeError as error:
        raise CannotRun("settings.syntax", f"{path} is not UTF-8: {error.reason} at byte {error.start}", "save it as UTF-8") from None
    except OSError as error:
        raise CannotRun("settings.unreadable", f"{path} cannot be read: {error.strerror}", "Name a file that exists") from None
