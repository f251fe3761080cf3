"""Hints at a terminal are commands: every error whose hint names an HTTP route has one of its own."""

import ast
import re
from pathlib import Path

from zcplatform.cli import prompts
from zcplatform.cli.hints import HINTS, hint_for
from zcplatform.cli.main import command
from zcplatform.cli.reference import commands

PACKAGE = Path(__file__).parents[2] / "zcplatform"
ROUTE = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) |/api/|X-Reason|docs/reference/api")


def _text(node: ast.expr) -> str:
    return "".join(part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str))


def _errors() -> dict[str, str]:
    """Codes of errors whose hint is for programs, with the place."""
    found = {}
    for folder in ("ops", "web", "core", "store"):
        for path in (PACKAGE / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and len(node.args) >= 3 and isinstance(node.args[0], ast.Constant):
                    code = node.args[0].value
                    if isinstance(code, str) and re.fullmatch(r"[a-z_]+\.[a-z_]+", code) and ROUTE.search(_text(node.args[2])):
                        found[code] = str(path.relative_to(PACKAGE))
    return found


def test_every_hint_for_programs_has_one_for_people() -> None:
    found = _errors()
    assert {code: place for code, place in found.items() if code not in HINTS} == {}


def test_hints_name_commands_that_exist() -> None:
    known = {" ".join(words) for words, _ in commands(command())}
    for hint in HINTS.values():
        for words in re.findall(r"zcplatform ([a-z][a-z-]*(?: [a-z][a-z-]*)?)", hint):
            assert any(words == one or words.split()[0] == one for one in known), hint


def test_the_tenant_of_the_error_is_put_into_the_command() -> None:
    assert hint_for("tenant.stopped", "Tenant `shop` is stopped", "POST …", is_session=False) == "zcplatform tenants start shop"
    assert hint_for("tenant.unknown", "There is no tenant `shop`", "GET …", is_session=False) == HINTS["tenant.unknown"]
    assert hint_for("some.other", "Something", "as it was", is_session=False) == "as it was"


def test_the_codes_that_clients_act_on_are_raised_somewhere() -> None:
    """A code that is renamed is renamed here, too."""
    raised = set()
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name != "cli":
            raised |= {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
    script = (PACKAGE / "web" / "static" / "pages.js").read_text()
    acted_on = {*HINTS, *prompts.WRONG, "reason.needed", "session.step_up_needed", *re.findall(r"error\.code === \"([^\"]+)\"", script)}
    assert acted_on - raised == set()
