"""House rules as ordinary tests: every module says what it is for, SQL is made of constants, nothing starts a shell, nothing hides."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "zcplatform").rglob("*.py"))
TEXTS = [
    path for folder in ("zcplatform", "tests", "scripts", "docs", "bench", "requirements") for path in sorted((ROOT / folder).rglob("*"))
]


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in MODULES:
        yield path, ast.parse(path.read_text())


def test_every_module_says_what_it_is_for() -> None:
    silent = [str(path.relative_to(ROOT)) for path, tree in _trees() if not ast.get_docstring(tree)]
    assert silent == []


def test_only_the_store_and_the_first_look_at_the_key_speak_sql() -> None:
    verbs = ("SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "PRAGMA ")
    found = set()
    for path, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(verbs):
                found.add(str(path.relative_to(ROOT / "zcplatform")))
    assert {name for name in found if not name.startswith("store/")} <= {"worker/app.py"}


def test_sql_is_made_of_constants_and_column_lists() -> None:
    """A formatted statement may hold names(…), marks and the checked assignments, nothing else."""
    allowed = {"names", "marks", "assignments", "number", "sql", "pragma"}
    for path, tree in _trees():
        if path.parent.name != "store":
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.JoinedStr):
                continue
            text = "".join(part.value for part in node.values if isinstance(part, ast.Constant) and isinstance(part.value, str))
            if not text.startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "BEGIN", "PRAGMA")):
                continue
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    used = part.value.func if isinstance(part.value, ast.Call) else part.value
                    assert isinstance(used, ast.Name), f"{path}: {ast.unparse(node)}"
                    assert used.id in allowed, f"{path}: {ast.unparse(node)}"


def test_nothing_starts_a_shell() -> None:
    for path, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in ("os.system", "os.popen", "asyncio.create_subprocess_shell"), path
                assert not any(keyword.arg == "shell" for keyword in node.keywords), path


@pytest.mark.parametrize(
    "word", ["unittest." + "mock", "monkey" + "patch.setattr", "time." + "sleep(", "pytest.mark." + "skip", "pytest." + "skip("]
)
def test_tests_neither_fake_nor_sleep_nor_skip(word: str) -> None:
    found = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests").rglob("*.py")) if word in path.read_text()]
    assert found == []


def test_no_work_is_left_as_a_note() -> None:
    for path in MODULES:
        for mark in ("TO" + "DO", "FIX" + "ME", "X" * 3):
            assert mark not in path.read_text(), path
