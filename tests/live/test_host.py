"""What only root can find out: whether another user could run the program."""

import sys
from pathlib import Path

import pytest

from zcplatform.adapters import host

pytestmark = pytest.mark.live

USER = "nobody"


def test_the_installed_interpreter_can_be_run_by_another_user() -> None:
    blocker = host.interpreter_blocker(USER)
    checkout = Path(__file__).parents[2]
    # The package is imported from the checkout here, which may be below a closed home; the interpreter never is.
    assert blocker is None or checkout.is_relative_to(blocker)


def test_the_folder_that_is_closed_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "inner").mkdir(parents=True)
    (closed / "inner" / "python").symlink_to(sys.executable)
    for folder in [closed / "inner", *tmp_path.parents]:
        if folder.stat().st_mode & 0o5 != 0o5:
            folder.chmod(folder.stat().st_mode | 0o5)
    tmp_path.chmod(0o755)
    closed.chmod(0o700)
    assert host.interpreter_blocker(USER, closed / "inner" / "python") == closed
    closed.chmod(0o755)
    assert host.interpreter_blocker(USER, closed / "inner" / "python") != closed


def test_a_user_that_does_not_exist_yet_is_tried_as_nobody(tmp_path: Path) -> None:
    closed = tmp_path / "python"
    closed.write_text("#!/bin/sh\nexit 0\n")
    closed.chmod(0o700)
    assert host.interpreter_blocker("zcp-no-such-user", closed) is not None
