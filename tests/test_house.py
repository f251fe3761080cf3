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


def test_only_the_store_speaks_sql() -> None:
    verbs = ("SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "PRAGMA ")
    found = set()
    for path, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(verbs):
                found.add(str(path.relative_to(ROOT / "zcplatform")))
    assert {name for name in found if not name.startswith("store/")} == set()


UNTOLD = {
    "ops/tokens.py:record_use": "when a token was last used",
    "ops/sessions.py:record_use": "when a session was last used",
    "ops/readiness.py:require_writable": "when it was last written for a probe",
}
"""Writes outside of `ops.change` that leave no audit entry, and what they write."""
TELLING = ("audit.append(", "record_attempt(", ".record(", "self._change(", "users.bootstrap(", "links.")
"""`record_attempt` is for visitors who are not signed in, and sums up a flood; `_change` requires an entry; `bootstrap` writes one."""


def _writers(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The outermost functions and methods that open a write, with their source."""
    bodies = [node for node in ast.iter_child_nodes(tree) if isinstance(node, ast.ClassDef)]
    for owner in [tree, *bodies]:
        for node in ast.iter_child_nodes(owner):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                calls = [call.func for call in ast.walk(node) if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)]
                if any(call.attr in ("write", "write_now") and "database" in ast.unparse(call.value) for call in calls):
                    yield node.name, ast.unparse(node)


def test_whoever_writes_tells_the_audit_log() -> None:
    """`ops.change` refuses a change without an entry; these are the writes beside it: of web, ops and the host's own commands."""
    silent = set()
    for folder in ("web", "ops", "cli/admin"):
        for path in sorted((ROOT / "zcplatform" / folder).glob("*.py")):
            for name, source in _writers(ast.parse(path.read_text())):
                if not any(call in source for call in TELLING):
                    silent.add(f"{folder}/{path.name}:{name}")
    assert silent <= set(UNTOLD), silent - set(UNTOLD)


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
