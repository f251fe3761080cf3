"""Folders of the platform, made with exact modes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from zcplatform.adapters import rundirs


@pytest.fixture
def strict_umask() -> Iterator[None]:
    """The umask that the platform runs with."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("strict_umask")
def test_parents_can_be_entered_whatever_the_umask(tmp_path: Path) -> None:
    """E11: made 0700, they shut out the web process, which then restarted for ever."""
    data_dir = tmp_path / "lib" / "zcplatform" / "data"
    rundirs.make_parents(data_dir)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "lib", tmp_path / "lib" / "zcplatform")] == [0o755, 0o755]
    assert not data_dir.exists(), "the folder itself is made with a mode of its own"


@pytest.mark.usefixtures("strict_umask")
def test_parents_that_are_there_keep_their_modes(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o700)
    rundirs.make_parents(tmp_path / "home" / "data")
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
