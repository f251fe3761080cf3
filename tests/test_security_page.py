"""docs/explanation/security.md claims nothing that no test shows, and passes over no attack in silence."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "explanation" / "security.md").read_text()
CLAIMED, _, LEFT = PAGE.partition("## Not claimed")


def test_every_test_that_is_named_is_there() -> None:
    there = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    rows = [line for line in CLAIMED.splitlines() if line.startswith("| S-")]
    assert len(rows) > 90
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert set(named) <= there, row


def test_every_attack_has_a_line_or_a_reason() -> None:
    numbers = [int(number) for number in re.findall(r"^\| S-(\d+) \|", CLAIMED, re.MULTILINE)]
    assert len(numbers) == len(set(numbers)), "an attack has one line"
    left = {int(number) for line in LEFT.splitlines() if line.startswith("| S-") for number in re.findall(r"S-(\d+)", line.split("|")[1])}
    assert set(numbers) | left == set(range(1, 119))
