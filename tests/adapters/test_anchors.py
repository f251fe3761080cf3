"""The second place: a file that only grows and is nobody else's, and a system log that somebody has to keep."""

import os
import socket
from pathlib import Path

import pytest

from zcplatform.adapters import anchors
from zcplatform.errors import Unavailable


def test_a_file_grows_by_whole_lines_also_after_a_power_cut(tmp_path: Path) -> None:
    path = tmp_path / "anchors"
    anchors.append(path, "one")
    path.write_text(path.read_text() + "cut o")
    anchors.append(path, "two")
    assert path.read_text() == "one\ncut o\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("vice", ["link", "fifo", "folder", "nowhere"])
def test_what_is_no_plain_file_is_not_written_to(tmp_path: Path, vice: str) -> None:
    path, target = tmp_path / "anchors", tmp_path / "target"
    target.write_text("")
    match vice:
        case "link":
            path.symlink_to(target)
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case _:
            path = tmp_path / "gone" / "anchors"
    with pytest.raises(Unavailable):
        anchors.append(path, "one")
    assert target.read_text() == ""
    assert vice not in ("link", "nowhere") or anchors.file_trouble(path)


def test_a_log_takes_a_line_as_its_keepers_read_it(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as keeper:
        keeper.bind(str(tmp_path / "log"))
        keeper.settimeout(5)
        assert anchors.log_trouble(tmp_path / "log") == ""
        anchors.log('{"a":1}', tmp_path / "log")
        taken = keeper.recv(1000).decode()
    assert taken.startswith("<85>")
    assert taken.endswith(' zcplatform-audit: {"a":1}')
    with pytest.raises(Unavailable, match="No system log"):
        anchors.log("x", tmp_path / "log")
    assert "Connection refused" in anchors.log_trouble(tmp_path / "log")
    assert "No such file" in anchors.log_trouble(tmp_path / "none")


def test_a_keeper_that_takes_nothing_holds_nobody_up_for_ever(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as keeper:
        keeper.bind(str(tmp_path / "log"))
        with pytest.raises(Unavailable):
            _fill(tmp_path / "log")


def _fill(path: Path) -> None:
    while True:
        anchors.log("x", path, wait_s=0.05)
