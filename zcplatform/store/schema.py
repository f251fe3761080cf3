"""Compare schemas by meaning: the one that the numbered steps create, and the one in a database.

All objects are compared by type, name and definition. White space, comments, quotes around names and the order of a table's columns are
ignored, because SQLite rewrites the text of a table when a step alters it. SQLite's own tables and indexes are left out; triggers and views never are.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import apsw

from zcplatform.errors import CannotRun

Objects = Mapping[tuple[str, str], str]
"""(type, name) of an object → its normalized definition."""

_TOKEN = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"[^\"]*\"|\w+|\s+|.", re.DOTALL)
_INTERNAL = {"table": ("sqlite_sequence", "sqlite_stat1", "sqlite_stat4"), "index": ("sqlite_autoindex_",)}


def steps() -> list[tuple[int, str]]:
    """(number, SQL) in order; the number is the schema version after the step."""
    found = [entry for entry in files("zcplatform.store").joinpath("steps").iterdir() if entry.name.endswith(".sql")]
    return sorted((int(entry.name.split("_")[0]), entry.read_text(encoding="utf-8")) for entry in found)


def has_objects(connection: apsw.Connection) -> bool:
    """Whether the database has any object at all."""
    return next(connection.execute("SELECT count(*) FROM sqlite_schema"))[0] > 0  # type: ignore[no-any-return]


def require_known(connection: apsw.Connection) -> None:
    """Raise CannotRun unless the schema is exactly the one that the steps up to its version create."""
    version = int(connection.pragma("user_version"))
    found = differences(_expected(version), objects(connection))
    if found:
        shown = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
        raise CannotRun(
            "database.schema_changed",
            f"The schema of the database is not the one of version {version}: {shown}",
            "Somebody with access to the file changed it. Stop the platform and restore a backup",
        )


@lru_cache(maxsize=1)
def _expected(version: int) -> Objects:
    return made_by([sql for number, sql in steps() if number <= version])


def objects(connection: apsw.Connection) -> Objects:
    rows: list[Any] = connection.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_schema").fetchall()
    return {(kind, name): meaning(sql) for kind, name, sql in rows if not name.startswith(_INTERNAL.get(kind, ("\0",)))}


def made_by(statements: list[str]) -> Objects:
    """Return the objects that these statements create in an empty database."""
    connection = apsw.Connection(":memory:")
    try:
        for sql in statements:
            connection.execute(sql)
        return objects(connection)
    finally:
        connection.close()


def differences(expected: Objects, found: Objects) -> list[str]:
    """Return one phrase per object that is unknown, missing or changed, in a fixed order."""
    words = []
    for kind, name in sorted({*expected, *found}):
        if (kind, name) not in expected:
            words.append(f"unknown {kind} `{name[:80]}`")
        elif (kind, name) not in found:
            words.append(f"missing {kind} `{name}`")
        elif expected[kind, name] != found[kind, name]:
            words.append(f"changed {kind} `{name}`")
    return words


def meaning(sql: str) -> str:
    """Normalize a statement to one line of tokens; a table's definitions are sorted."""
    tokens = [token for token in _TOKEN.findall(sql) if not token.isspace() and not token.startswith(("--", "/*"))]
    tokens = [token[1:-1] if re.fullmatch(r'"\w+"', token) else token for token in tokens]
    if tokens[:2] != ["CREATE", "TABLE"] or "(" not in tokens:
        return " ".join(tokens)
    definitions, end = _definitions(tokens, tokens.index("("))
    return " ".join([*tokens[: tokens.index("(")], "(", " , ".join(sorted(definitions)), ")", *tokens[end + 1 :]])


def _definitions(tokens: list[str], start: int) -> tuple[list[str], int]:
    """Return the columns and constraints between the parenthesis at `start` and its closing one, and the index of the latter."""
    found: list[list[str]] = [[]]
    depth = 0
    for index in range(start, len(tokens)):
        word = tokens[index]
        depth += (word == "(") - (word == ")")
        if depth == 0:
            return [" ".join(words) for words in found], index
        if index == start:
            continue
        if depth == 1 and word == ",":
            found.append([])
        else:
            found[-1].append(word)
    return [" ".join(words) for words in found], len(tokens)
