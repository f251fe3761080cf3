"""Each house rule finds what it is for, and leaves identifiers and data alone."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.house import imports, sizes, words
from tests.house.__main__ import Found, judge

PYTHON = Path("x.py")


def _found(text: str, path: Path = PYTHON) -> list[tuple[int, str]]:
    return [(line, word) for line, word, _ in words.findings(path, text)]


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ('"""It can\nnot be read."""\n', 1, "can not"),
        ("x = 1\n# He may read it.\n", 2, "He"),
        ('x = f"{name} is told so"\n', 1, "told"),
        ('x = (\n    "first "\n    "was taken back"\n)\n', 3, "taken back"),
        ('"""First.\n\nWhoever lets him in.\n"""\n', 3, "lets him in"),
    ],
)
def test_prose_of_python_is_read(text: str, line: int, word: str) -> None:
    assert (line, word) in _found(text)


@pytest.mark.parametrize(
    "text",
    [
        "told = asked(his)\n",
        'x = row["told"]\n',
        'x = f"{told} was {his(he)} here"\n',
        'x = "taken_back, can_not, the rest"\n',
        "# `is asked to confirm` reads well: the user is asked to confirm\n",
    ],
)
def test_names_and_data_are_left_alone(text: str) -> None:
    assert _found(text) == []


def test_pages_are_read_without_their_code() -> None:
    page = "# Title\n\n```sh\nzcplatform told him\n```\nSee `told` in [his page](docs/he.md).\nIt can not.\n"
    assert _found(page, Path("x.md")) == [(6, "his"), (7, "can not")]


def test_schema_comments_and_scripts_are_read() -> None:
    assert _found("CREATE TABLE told (his TEXT) -- who he is\n", Path("x.sql")) == [(1, "he")]
    assert _found("#!/bin/sh\n# mends it\n", Path("x")) == [(2, "mends")]


def _function(text: str) -> sizes.Function:
    return next(node for _, node in sizes.functions(ast.parse(text)))


def test_a_docstring_is_no_line_of_code() -> None:
    assert sizes.lines(_function('def f():\n    """A\n\n    B\n    """\n    return 1\n')) == 2
    assert sizes.lines(_function("@wrap\ndef f(\n    a,\n):\n    return 1\n")) == 4


def test_parameters_are_counted_as_a_caller_sees_them() -> None:
    assert sizes.parameters(_function("class A:\n    def f(self, a, /, b, *, c): ...\n")) == 3
    assert sizes.parameters(_function("@router.get('/')\ndef f(a, b): ...\n")) == 0


def _module(text: str, name: str = "p.a") -> tuple[set[str], list[int]]:
    return imports.of_module(name, False, ast.parse(text), frozenset({"p", "p.a", "p.b", "p.c"}))


def test_imports_of_ours_are_found_wherever_they_are() -> None:
    assert _module("import os\nfrom p import b\nfrom p.c import x\n") == ({"p.b", "p.c"}, [])
    assert _module("from .b import x\n") == ({"p.b"}, [])
    assert _module("def f():\n    try:\n        import p.b\n    except OSError:\n        pass\n") == (set(), [3])
    assert _module("if TYPE_CHECKING:\n    from p import b\n") == (set(), [])


def test_a_cycle_is_named() -> None:
    assert set(imports.cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}})) == {"a", "b", "c"}
    assert imports.cycle({"a": {"b"}, "b": {"c"}, "c": set()}) == []


def test_counts_may_fall_and_move_but_not_rise() -> None:
    allowed = {"words": {"old.py": 2}, "sizes": {"old.py": 320}}
    moved = Found(Counter({"new.py": 2}), {"new.py": 310}, ["new.py:1: x", "new.py:2: y"], {"new.py": "new.py is large"})
    assert judge(moved, allowed) == []
    more = Found(Counter({"old.py": 2, "new.py": 1}), {"old.py": 321}, ["old.py:1: x", "new.py:2: y"], {"old.py": "old.py is large"})
    assert judge(more, allowed) == ["new.py:2: y", "old.py is large"]
