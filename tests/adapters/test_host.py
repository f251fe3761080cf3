"""Questions to the host, asked of this one and of small made-up ones."""

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from zcplatform.adapters import host
from zcplatform.settings import Span

SPAN = Span(first=700_000, last=765_535)


def test_a_port_is_free_until_somebody_listens() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        listening.listen()
        assert not host.port_free(port)
    assert host.port_free(port)


def test_a_port_that_is_taken_on_all_addresses_is_not_free() -> None:
    with socket.socket() as listening:
        listening.bind(("0.0.0.0", 0))
        listening.listen()
        assert not host.port_free(listening.getsockname()[1])


def test_a_port_that_only_waits_for_last_packets_is_free() -> None:
    with socket.socket() as listening:
        # As the engine's own proxy does; without it the kernel keeps the port back from everybody.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        served, _ = listening.accept()
        served.close()
        client.close()
    assert host.port_free(port)


@pytest.mark.parametrize(
    ("file", "line", "culprit"),
    [
        ("passwd", "ann:x:700001:100::/home/ann:/bin/sh", "user ann"),
        ("group", "staff:x:765535:", "group staff"),
        ("subuid", "ann:690000:10001", "range of ann"),
        ("subgid", "ann:765535:1", "range of ann"),
        ("subuid", "ann:100000:900000", "range of ann"),
    ],
)
def test_who_overlaps_is_named(tmp_path: Path, file: str, line: str, culprit: str) -> None:
    (tmp_path / file).write_text(f"root:x:0:0::/root:/bin/sh\n{line}\n")
    found = host.overlapping_uids(SPAN, tmp_path)
    assert found is not None
    assert culprit in found
    assert str(tmp_path / file) in found


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("passwd", "ann:x:699999:100::/home/ann:/bin/sh"),
        ("passwd", "+::::::"),
        ("subuid", "ann:100000:600000"),
        ("subuid", "ann:765536:65536"),
        ("subgid", "ann:700000:0"),
        ("subgid", "nonsense"),
    ],
)
def test_neighbours_do_not_overlap(tmp_path: Path, file: str, line: str) -> None:
    (tmp_path / file).write_text(f"{line}\n")
    assert host.overlapping_uids(SPAN, tmp_path) is None


def test_a_host_without_those_files_overlaps_nothing(tmp_path: Path) -> None:
    assert host.overlapping_uids(SPAN, tmp_path) is None


def test_programs_tell_their_version_or_nothing(tmp_path: Path) -> None:
    assert host.program_version(sys.executable, "--version").startswith("Python 3.")
    assert host.program_version(tmp_path / "missing") == ""
    assert host.program_version("false") == ""


def test_what_the_kernel_says_of_itself() -> None:
    assert host.kernel() == os.uname().release
    assert host.cgroup_version() in (1, 2)
    assert host.clock_is_synchronized() in (True, False, None)
    assert isinstance(host.swap_active(), bool)


def test_free_space_of_a_path_that_is_not_there_yet(tmp_path: Path) -> None:
    assert 0 < host.free_bytes(tmp_path / "a" / "b") <= shutil.disk_usage(tmp_path).total


def test_ports_that_anything_listens_on_are_seen_without_rights() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        assert port not in host.listened_ports()
        listening.listen()
        assert port in host.listened_ports()


@pytest.mark.parametrize(
    ("uids", "gids", "words"),
    [
        ("0 0 4294967295", "0 0 4294967295", ""),
        ("0 100000 65536", "0 0 4294967295", "uids end at 65535"),
        ("0 0 4294967295", "0 100000 65536", "gids end at 65535"),
        ("0 1000 1\n1 100000 700000", "0 0 4294967295", "uids end at 700000"),
        ("0 0 700000\n700000 900000 70000", "0 0 4294967295", ""),
    ],
)
def test_a_range_beyond_the_user_namespace_is_named(tmp_path: Path, uids: str, gids: str, words: str) -> None:
    (tmp_path / "uid_map").write_text(f"{uids}\n")
    (tmp_path / "gid_map").write_text(f"{gids}\n")
    found = host.unmapped_uid(SPAN, tmp_path)
    assert words in found
    assert bool(found) == bool(words)


def test_routes_of_this_host_are_networks() -> None:
    assert all(route.device and 0 <= route.network.prefixlen <= 32 for route in host.routes())
