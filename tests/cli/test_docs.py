"""docs/reference/cli.md lists each command there is, and none that is not."""

from collections.abc import Iterator
from pathlib import Path

import click
import typer.main

from zcplatform.__main__ import app

ROOT = Path(__file__).parents[2]


def _commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    inner = getattr(group, "commands", None)
    if inner is None:
        yield " ".join(path)
        return
    for name, command in inner.items():
        yield from _commands(command, (*path, name))


def test_the_reference_lists_every_command() -> None:
    there = set(_commands(typer.main.get_command(app)))  # type: ignore[arg-type]
    lines = [line.split("`")[1] for line in (ROOT / "docs" / "reference" / "cli.md").read_text().splitlines() if line.startswith("| `")]
    told = {" ".join(word for word in line.split() if word.islower() and not word.startswith("-")) for line in lines}
    assert told == there
