"""S-61: no regular expression of ours takes more than linear time, whatever is sent. Each repeat in each of them is pumped and then cut off wrong."""

import ast
import importlib
import pkgutil
import re
import re._parser as parser  # type: ignore[import-not-found]
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import zcplatform

ROOT = Path(zcplatform.__file__).parent
SIZES = (*range(16, 32, 2), 1_000, 10_000)
"""What is exponential takes four times as long at each of the first, and shows before it could take a day at the last."""
LIMIT_S = 0.05
WAYS = {"match": "match", "fullmatch": "fullmatch", **dict.fromkeys(("search", "sub", "subn", "split", "findall", "finditer"), "search")}
WRONG_ENDS = ("\0", "!\n", "")


def _written() -> Iterator[tuple[str, str, str]]:
    """Place, expression and way of every call of `re` in the source. (What a field declares as `pattern` is not backtracked: see below.)"""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "re" and node.args:
                given = node.args[0]
                if node.func.attr in WAYS and isinstance(given, ast.Constant):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", str(given.value), WAYS[node.func.attr]


def _made() -> Iterator[tuple[str, str, str]]:
    """Those that are compiled once, in each way that their name is used."""
    source = "".join(path.read_text() for path in ROOT.rglob("*.py"))
    for found in pkgutil.walk_packages([str(ROOT)], "zcplatform."):
        if not found.name.endswith("__main__"):
            for name, value in vars(importlib.import_module(found.name)).items():
                if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                    for way in {WAYS[used] for used in re.findall(rf"\b{name}\.({'|'.join(WAYS)})\(", source)}:
                        yield f"{found.name}.{name}", value.pattern, way


def _sample(items: Any) -> str:
    """The shortest text that these parts of an expression take, as far as it matters here."""
    return "".join(_one(kind, value) for kind, value in items)


def _one(kind: Any, value: Any) -> str:
    match str(kind):
        case "LITERAL":
            return chr(value)
        case "NOT_LITERAL":
            return "b" if value == ord("a") else "a"
        case "ANY":
            return "a"
        case "IN":
            return _of_class(value)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return _sample(value[2]) * value[0]
        case "SUBPATTERN":
            return _sample(value[3])
        case "BRANCH":
            return _sample(value[1][0])
        case _:
            return ""


def _of_class(items: Any) -> str:
    if str(items[0][0]) == "NEGATE":
        return next(letter for letter in "a0-.:/ \n" if re.match(f"[{re.escape(letter)}]", letter) and not _is_in(letter, items[1:]))
    kind, value = items[0]
    return chr(value if str(kind) == "LITERAL" else value[0]) if str(kind) in ("LITERAL", "RANGE") else _of_category(str(value))


def _is_in(letter: str, items: Any) -> bool:
    at = ord(letter)
    return any(value == at if str(kind) == "LITERAL" else str(kind) == "RANGE" and value[0] <= at <= value[1] for kind, value in items)


def _of_category(name: str) -> str:
    return {"CATEGORY_DIGIT": "0", "CATEGORY_SPACE": " ", "CATEGORY_NOT_WORD": "-"}.get(name, "a")


def _pumps(items: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """For each repeat without a small end: what leads to it, and each thing it takes once."""
    for kind, value in items:
        name = str(kind)
        if name.endswith("REPEAT"):
            if value[1] > 100:
                yield from ((before, piece) for piece in _pieces(value[2]))
            yield from _pumps(value[2], before)
        elif name == "SUBPATTERN":
            yield from _pumps(value[3], before)
        elif name == "BRANCH":
            for branch in value[1]:
                yield from _pumps(branch, before)
        before += _one(kind, value)


def _pieces(items: Any) -> Iterator[str]:
    yield _sample(items) or "a"
    for kind, value in items:
        if str(kind) == "SUBPATTERN":
            yield from _pieces(value[3])
        elif str(kind) == "BRANCH":
            yield from (_sample(branch) or "a" for branch in value[1])


def _slow(pattern: str, way: str) -> str | None:
    """Which text made it slow, by the processor's time."""
    match = getattr(re.compile(pattern), way)
    pumped = {*_pumps(parser.parse(pattern)), ("", "a"), ("", " "), ("", "0"), ("", "a."), ("", "a-")}
    for size in SIZES:
        for before, piece in sorted(pumped):
            for end in WRONG_ENDS:
                text = before + piece * size + end
                started = time.thread_time()
                match(text)
                if time.thread_time() - started > LIMIT_S:
                    return f"{before[:20]!r} + {piece!r} * {size} + {end!r}"
    return None


def test_no_expression_is_slow() -> None:
    found = {(pattern, way): place for place, pattern, way in (*_made(), *_written())}
    assert len(found) > 30, "there are expressions"
    assert {place: text for (pattern, way), place in found.items() if (text := _slow(pattern, way)) is not None} == {}


def test_what_a_field_declares_is_matched_without_backtracking() -> None:
    """The library's own engine is linear; Python's is not selected."""
    assert [str(path) for path in ROOT.rglob("*.py") if "regex_engine" in path.read_text()] == []


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"\s+$", r"x(?:a|ab|bb?)*?y\bz", r"^([a-z]+)*\.com$", r"[^,]*,[^,]*;|\d+\d+:"])
def test_an_expression_that_is_slow_is_found(pattern: str) -> None:
    """The measure itself: exponential and quadratic ones."""
    assert _slow(pattern, "search") is not None
