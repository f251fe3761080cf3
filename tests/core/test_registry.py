"""The registry of event kinds, audit actions and error codes: everything in use is in it, everything in it is in use, its pages are current."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from zcplatform.core.registry.actions import ACTIONS, FORMER
from zcplatform.core.registry.errors import ERRORS
from zcplatform.core.registry.events import EVENTS
from zcplatform.core.registry.pages import pages
from zcplatform.core.roles import Permission
from zcplatform.core.tenant import Request

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "zcplatform"
NAME = re.compile(r"[a-z_]+\.[a-z_0-9]+")
RAISED = re.compile(
    r"BadInput|NotSignedIn|NotAllowed|NotFound|Conflict|Outdated|TooMany|OverQuota|Unavailable|StorageFull|StepFailed|RevisionRejected"
    r"|CannotRun|CommandError|PlatformError|problem"
)
CONSTANTS = {f"tenant.{request}" for request in Request} - {"tenant.create"} | {f"drift.{decided}" for decided in ("keep", "discard")}
"""Made of a part that is a closed set."""
ROLLED_BACK = {f"{subject}.{what}" for subject in ("image", "revision") for what in ("roll_back", "rolled_back")}


def _calls() -> Iterator[tuple[str, list[ast.expr]]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if "demo_agent" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    yield ast.unparse(node.func), node.args


def _named(arguments: list[ast.expr], position: int) -> set[str]:
    value = arguments[position].value if len(arguments) > position and isinstance(arguments[position], ast.Constant) else None  # type: ignore[attr-defined]
    return {value} if isinstance(value, str) and NAME.fullmatch(value) else set()


def _constants() -> set[str]:
    """Every text of the package outside the registry that could be a name."""
    return {
        node.value
        for path in PACKAGE.rglob("*.py")
        if "registry" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value)
    }


def test_every_code_that_is_raised_is_registered() -> None:
    raised: set[str] = set()
    for function, arguments in _calls():
        if RAISED.fullmatch(function.rpartition(".")[2]):
            raised |= _named(arguments, 1 if function == "problem" else 0)
    assert len(raised) > 150
    assert raised - ERRORS.keys() == set(), "add them with their meaning to zcplatform/core/registry"


def test_every_action_and_event_that_is_written_is_registered() -> None:
    actions: set[str] = set()
    events: set[str] = set()
    for function, arguments in _calls():
        match function.rpartition(".")[2]:
            case "record" | "issue":
                actions |= _named(arguments, 0)
            case "Entry":
                actions |= _named(arguments, 2)
            case "record_attempt":
                actions |= _named(arguments, 1)
            case "emit":
                events |= _named(arguments, 0)
            case "append" if function.startswith("events"):
                events |= _named(arguments, 2)
    assert (actions - ACTIONS.keys(), events - EVENTS.keys()) == (set(), set())


@pytest.mark.parametrize("known", [ERRORS, ACTIONS, EVENTS], ids=["errors", "actions", "events"])
def test_everything_registered_is_in_use_and_has_a_meaning(known: dict[str, str]) -> None:
    assert known.keys() - _constants() - CONSTANTS - ROLLED_BACK == set()
    assert [name for name, meaning in known.items() if not NAME.fullmatch(name) or not meaning.endswith(".")] == []


def test_no_name_is_both_former_and_present() -> None:
    assert FORMER.keys() & ACTIONS.keys() == set()
    assert set(FORMER.values()) <= ACTIONS.keys()


def test_a_permission_is_never_an_error_code() -> None:
    assert ERRORS.keys() & set(Permission) == set()


@pytest.mark.parametrize("name", sorted(pages()))
def test_the_committed_page_is_current(name: str) -> None:
    assert (ROOT / "docs" / "reference" / name).read_text() == pages()[name], "run scripts/reference"
