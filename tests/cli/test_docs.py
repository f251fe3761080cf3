"""docs/reference/cli.md is what the commands say, every command explains itself, and commands that documents name exist."""

import re
from pathlib import Path
from typing import Any

import pytest

from zcplatform.__main__ import app as _registers_serve_and_edge  # noqa: F401
from zcplatform.cli import reference
from zcplatform.cli.main import command

ROOT = Path(__file__).parents[2]
TREE = command()
COMMANDS = dict(reference.commands(TREE))
GROUPS = {name for name, found in TREE.commands.items() if hasattr(found, "commands")}
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NAMED = re.compile(r"zcplatform ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*){0,2})")


def test_the_reference_is_what_the_commands_say() -> None:
    assert (ROOT / "docs" / "reference" / "cli.md").read_text() == reference.page(TREE), "run scripts/cli-reference"


@pytest.mark.parametrize("words", sorted(COMMANDS), ids=" ".join)
def test_every_command_explains_itself_and_its_options(words: tuple[str, ...]) -> None:
    found = COMMANDS[words]
    assert found.help
    assert found.help[0].isupper()
    unexplained = [parameter.name for parameter in found.params if not (parameter.help or "").strip()]
    assert unexplained == []
    twice = [one.name for one in found.params if "Default:" in (one.help or "") and one.default is not None and one.show_default]
    assert twice == [], "the help says the default, and the program adds it again"
    options = [option for parameter in found.params for option in parameter.opts if option.startswith("-")]
    assert len(options) == len(set(options)), "an option is declared twice"


@pytest.mark.parametrize("words", [(), *((name,) for name in sorted(GROUPS)), *sorted(COMMANDS)], ids=" ".join)
def test_every_help_can_be_printed(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    TREE.main([*words, "--help"], prog_name="zcplatform", standalone_mode=False)
    printed = capsys.readouterr()
    assert printed.err == ""
    assert " ".join(["Usage: zcplatform", *words]) in printed.out


def test_documents_name_commands_that_exist() -> None:
    known = {" ".join(words) for words in COMMANDS}
    wrong = []
    for path in PAGES:
        for line in path.read_text().splitlines():
            for match in NAMED.finditer("".join(re.findall(r"`[^`]*`|^ {4}.*|^\$? ?zcplatform .*", line))):
                words = match[1].split()
                if words[0] in TREE.commands and not _is_known(words, known):
                    wrong.append(f"{path.relative_to(ROOT)}: {match[0]}")
    assert wrong == []


def _is_known(words: list[str], known: set[str]) -> bool:
    """Whether the words begin with a command, or are the name of a group alone."""
    found: Any = TREE
    for word in words:
        inner = getattr(found, "commands", None)
        if inner is None:
            return True
        if word not in inner:
            return False
        found = inner[word]
    return True
