"""Questions at the terminal, on standard error so that standard output stays clean; without a terminal answers are lines of standard input."""

import sys
from collections.abc import Callable
from typing import TypeVar

import typer

from zcplatform.cli import output
from zcplatform.cli.errors import CommandError

TRIES = 3
WRONG = frozenset({"code.rejected", "code.invalid"})
Result = TypeVar("Result")


def ask(question: str, *, is_secret: bool = False) -> str:
    """One line. What is secret is not shown while it is typed."""
    if sys.stdin.isatty() and is_secret:
        return str(typer.prompt(output.printable(question), hide_input=True, err=True)).strip()
    if sys.stdin.isatty():
        _write(f"{question}: ")
    return sys.stdin.readline().strip()


def _write(text: str) -> None:
    """Whole, to standard error: typer's own prompts write their last blank to standard output, into what is piped on."""
    sys.stderr.write(output.printable(text))
    sys.stderr.flush()


def answer_code(introduction: str, give: Callable[[str], Result]) -> Result:
    """Ask for a mailed code and give it, again after a typing error. Raises CommandError when no code was accepted."""
    output.print_error(introduction)
    left = TRIES if sys.stdin.isatty() else 1
    while True:
        code = ask("Code")
        if not code:
            raise CommandError("code.missing", "No code was given", "Run the command again to get a new one.")
        try:
            return give(code)
        except CommandError as error:
            left -= 1
            if error.code not in WRONG or not left:
                raise
            output.print_error(error.detail)


def confirm(question: str, *, is_sure: bool) -> None:
    """Ends the command unless the answer is yes, or was given with --yes."""
    if is_sure:
        return
    _write(f"{question} [y/N]: ")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise typer.Abort


def confirm_by_typing(question: str, expected: str, *, is_sure: bool) -> None:
    """Ends the command unless exactly this is typed: for what cannot be undone."""
    if is_sure:
        return
    _write(f"{question} Type {expected} to continue: ")
    if sys.stdin.readline().strip() != expected:
        raise typer.Abort
