"""The prose of a file: comments, docstrings and messages of Python, SQL and shell files, and the text of pages without their code.

Identifiers and data are no prose: a string without white space, what an f-string puts in, and `code` in a page are left out.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`[^`\n]*`")
PUT_IN = re.compile(r"\{\{|\}\}|\{[^{}]*\}")
LINK = re.compile(r"\]\([^)\n]*\)")
SQL_COMMENT = re.compile(r"--[^\n]*")


def prose(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """Pieces of prose, each with the number of its first line."""
    match path.suffix:
        case ".py":
            yield from _of_python(text)
        case ".md":
            yield 1, _without(LINK, _without(SPAN, _without(FENCE, text)))
        case ".sql":
            for found in SQL_COMMENT.finditer(text):
                yield text.count("\n", 0, found.start()) + 1, found[0]
        case _:
            yield 1, text


def _without(pattern: re.Pattern[str], text: str) -> str:
    """The text with every match blanked; lines keep their numbers."""
    return pattern.sub(lambda found: "\n" * found[0].count("\n") or " ", text)


def _of_python(text: str) -> Iterator[tuple[int, str]]:
    fstring_middle = getattr(tokenize, "FSTRING_MIDDLE", None)  # from 3.12 on an f-string is several tokens
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or (token.type == fstring_middle and " " in token.string.strip()):
            yield token.start[0], token.string
        elif token.type == tokenize.STRING and any(mark in token.string for mark in " \n"):
            yield token.start[0], _string(token.string)


def _string(source: str) -> str:
    """What a string literal says, on as many lines as its source has."""
    prefix = source[: len(source) - len(source.lstrip("rbfuRBFU"))].lower()
    if "f" in prefix:
        return _without(PUT_IN, source)
    if "b" in prefix or "\\" not in source or '"""' in source:
        return source
    return str(ast.literal_eval(source))
