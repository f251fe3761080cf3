"""Hostile trees and the configuration mount on a real kernel. Needs root and mounts, hence among the live tests."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.engine import Engine
from tests.live.handmade import NAMES, UID, inside, tenant
from tests.live.waiting import wait_until
from zcplatform.adapters import files, mounts
from zcplatform.engines.docker.client import Docker
from zcplatform.errors import StepFailed
from zcplatform.store.db import require

pytestmark = pytest.mark.live

SLUG = "acme-one"
ROUNDS = 40


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "config"
    yield root
    for slug in files.config_mounts(root):
        files.config_unmount(root, slug)


def own(root: Path) -> Path:
    return root / SLUG / "zeroclaw"


def test_the_mount_never_goes_to_swap_and_runs_nothing(config: Path) -> None:
    files.config_mount(config, SLUG, UID, {"config.toml": b"a = 1\n", ".secret_key": b"k"})
    options = mounts.tmpfs_mounts(config)[SLUG]
    assert {"size=4096k", "nr_inodes=512", "mode=711", "noswap"} <= set(options.split(","))
    line = next(line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"/{SLUG} " in line)
    assert {"nosuid", "nodev", "noexec"} <= set(line.split(" ")[5].split(","))


def test_the_files_belong_to_the_tenant_and_the_nonce_does_not(config: Path) -> None:
    nonce = files.config_mount(config, SLUG, UID, {"config.toml": b"a = 1\n"})
    for path, mode in ((own(config), 0o40700), (own(config) / "config.toml", 0o100600), (own(config) / "state", 0o40700)):
        seen = path.lstat()
        assert (seen.st_uid, seen.st_gid, seen.st_mode) == (UID, UID, mode)
    assert (config / SLUG / "nonce").lstat().st_uid == 0
    assert files.config_nonce(config, SLUG) == nonce
    assert files.config_mounts(config) == {SLUG}


def test_a_second_mount_replaces_the_first(config: Path) -> None:
    first = files.config_mount(config, SLUG, UID, {"config.toml": b"old", "left.toml": b"x"})
    second = files.config_mount(config, SLUG, UID, {"config.toml": b"new"})
    assert first != second
    assert files.config_nonce(config, SLUG) == second
    assert files.config_read(config, SLUG, "config.toml", 100) == b"new"
    assert files.config_read(config, SLUG, "left.toml", 100) is None
    files.config_unmount(config, SLUG)
    assert files.config_mounts(config) == set()
    assert not (config / SLUG).exists()


def test_a_mount_that_is_in_use_is_replaced_too(config: Path) -> None:
    files.config_mount(config, SLUG, UID, {"config.toml": b"old"})
    with (own(config) / "config.toml").open("rb") as held:
        nonce = files.config_mount(config, SLUG, UID, {"config.toml": b"new"})
        assert held.read() == b"old"
    assert files.config_nonce(config, SLUG) == nonce


def test_a_directory_that_is_no_mount_has_no_nonce(config: Path) -> None:
    files.config_mount(config, SLUG, UID, {})
    mounts.unmount(config / SLUG)
    (config / SLUG / "nonce").write_text("forged")
    assert files.config_nonce(config, SLUG) is None


def test_a_file_has_another_stamp_after_each_change(config: Path) -> None:
    files.config_mount(config, SLUG, UID, {"config.toml": b"a"})
    path = own(config) / "config.toml"
    first = files.config_stamp(config, SLUG, "config.toml")
    assert first is not None
    assert not first.is_settled
    wait_until(lambda: require(files.config_stamp(config, SLUG, "config.toml")).is_settled, 5, "nobody writes for a second")
    assert files.config_stamp(config, SLUG, "config.toml") == first
    path.write_bytes(b"b")
    second = files.config_stamp(config, SLUG, "config.toml")
    assert second != first, "of the same length"
    files.config_mount(config, SLUG, UID, {"config.toml": b"a"})
    assert files.config_stamp(config, SLUG, "config.toml") not in (first, second)
    files.config_unmount(config, SLUG)
    assert files.config_stamp(config, SLUG, "config.toml") is None


def test_what_does_not_fit_leaves_no_mount(config: Path) -> None:
    with pytest.raises(StepFailed) as caught:
        files.config_mount(config, SLUG, UID, {"config.toml": b"x" * 5 * 1024 * 1024})
    assert caught.value.code == "config.too_large"
    assert files.config_mounts(config) == set()


def test_unmounting_twice_is_success(config: Path) -> None:
    files.config_mount(config, SLUG, UID, {})
    files.config_unmount(config, SLUG)
    files.config_unmount(config, SLUG)


@pytest.mark.parametrize("kind", ["link", "link_to_directory", "fifo", "socket", "directory", "too_large", "missing", "parent_is_link"])
def test_reading_back_takes_nothing_but_a_small_regular_file(config: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "secret").write_text("of the host")
    files.config_mount(config, SLUG, UID, {"other.toml": b"fine"})
    place, name = own(config) / "config.toml", "config.toml"
    match kind:
        case "link":
            place.symlink_to(tmp_path / "host" / "secret")
        case "link_to_directory":
            place.symlink_to(tmp_path / "host")
        case "fifo":
            os.mkfifo(place)
        case "socket":
            folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)  # the path itself may be longer than such an address may be
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(f"/proc/self/fd/{folder}/{place.name}")
            os.close(folder)
        case "directory":
            place.mkdir()
        case "too_large":
            place.write_bytes(b"x" * 1001)
        case "parent_is_link":
            (own(config) / "inner").symlink_to(tmp_path / "host")
            name = "inner/secret"
    assert files.config_read(config, SLUG, name, 1000) is None
    assert files.config_read(config, SLUG, "other.toml", 1000) == b"fine"


@pytest.mark.parametrize("name", ["../nonce", "..", "", "a//b", "./config.toml", "a\0b"])
def test_a_name_that_leads_elsewhere_is_a_mistake_of_the_caller(config: Path, name: str) -> None:
    files.config_mount(config, SLUG, UID, {})
    with pytest.raises(ValueError, match="not the name of one file"):
        files.config_read(config, SLUG, name, 100)


@pytest.mark.parametrize("slug", ["..", ".", "a/b", "UPPER", "", "x" * 40])
def test_a_slug_that_is_none_touches_nothing(tmp_path: Path, slug: str) -> None:
    for call in (files.workspace_remove, files.config_unmount, files.config_nonce):
        with pytest.raises(ValueError, match="slug"):
            call(tmp_path, slug)
    with pytest.raises(ValueError, match="slug"):
        files.workspace_create(tmp_path, slug, UID)
    with pytest.raises(ValueError, match="slug"):
        files.config_mount(tmp_path, slug, UID, {})


def test_a_hostile_workspace_is_removed_and_nothing_else(tmp_path: Path) -> None:
    root, host = tmp_path / "tenants", tmp_path / "host"
    host.mkdir()
    (host / "kept").write_text("kept")
    files.workspace_create(root, SLUG, UID)
    files.workspace_create(root, "neighbour", UID + 1)
    data = root / SLUG / "data"
    (data / "link").symlink_to(host)
    (data / "file").symlink_to(host / "kept")
    os.link(host / "kept", data / "hard")
    os.mkfifo(data / "fifo")
    (data / "-rf").write_text("an option")
    (data / "line\nfeed").write_text("")
    (data / os.fsdecode(b"\xff\xfe")).write_text("")
    _deep(data, 10_000)
    files.workspace_remove(root, SLUG)
    files.workspace_remove(root, SLUG)
    assert not (root / SLUG).exists()
    assert (host / "kept").read_text() == "kept"
    assert (root / "neighbour" / "data").is_dir()


def test_names_that_are_swapped_under_a_removal_lead_nowhere_else(tmp_path: Path) -> None:
    """S-55: the tenant exchanges directories and links, as fast as it can, while its tree is removed and read, over and over."""
    root, host, config = tmp_path / "tenants", tmp_path / "host", tmp_path / "config"
    host.mkdir()
    for name in ("kept", "config.toml"):
        (host / name).write_text("of the host")
    files.config_mount(config, SLUG, UID, {"config.toml": b"mine"})
    (own(config) / "sub").mkdir()
    (own(config) / "sub" / "config.toml").write_text("mine")
    (own(config) / "link").symlink_to(host)
    read: set[bytes | None] = set()
    swapped = 0
    try:
        for _ in range(ROUNDS):
            files.workspace_create(root, SLUG, UID)
            for number in range(30):
                folder = root / SLUG / "data" / f"d{number}"
                folder.mkdir()
                (folder / "kept").write_text("")
                (root / SLUG / "data" / f"l{number}").symlink_to(host)
            with _swapping((root / SLUG / "data", "d{}", "l{}", 30), (own(config), "sub", "link", 1)) as count:
                read |= {files.config_read(config, SLUG, "sub/config.toml", 100) for _ in range(50)}
                with contextlib.suppress(StepFailed):  # what changes all the time may be refused, and is removed when it is quiet
                    files.workspace_remove(root, SLUG)
            swapped += count()
            files.workspace_remove(root, SLUG)
            assert not (root / SLUG).exists()
        assert {path.name: path.read_text() for path in host.iterdir()} == {"kept": "of the host", "config.toml": "of the host"}
        assert read == {b"mine", None}
        assert swapped > 10 * ROUNDS, "there was a race"
    finally:
        files.config_unmount(config, SLUG)


@contextlib.contextmanager
def _swapping(*pairs: tuple[Path, str, str, int]) -> Iterator[Callable[[], int]]:
    """A process that exchanges two names in each folder, numbered, until the block ends. Gives how often it did."""
    script = (
        "import ctypes, os, select, sys\n"
        "swap, done = ctypes.CDLL(None).renameat2, 0\n"
        "pairs = [(os.open(folder, os.O_RDONLY), one.format(n).encode(), two.format(n).encode())\n"
        "         for folder, one, two, count in eval(sys.argv[1]) for n in range(int(count))]\n"
        "print('on', flush=True)\n"
        "while not select.select([0], [], [], 0)[0]:\n"
        "    for folder, one, two in pairs:\n"
        "        done += swap(folder, one, folder, two, 2) == 0\n"
        "print(done, flush=True)\n"
    )
    told = repr([(str(folder), *rest) for folder, *rest in pairs])
    process = subprocess.Popen([sys.executable, "-c", script, told], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"
    counted: list[int] = []
    try:
        yield lambda: counted[0]
    finally:
        process.stdin.close()
        counted.append(int(process.stdout.read()))
        process.stdout.close()
        process.wait(10)


def test_removal_stops_at_another_file_system(tmp_path: Path) -> None:
    root = tmp_path / "tenants"
    files.workspace_create(root, SLUG, UID)
    mounts.mount_tmpfs(root / SLUG / "data", "size=1m")
    (root / SLUG / "data" / "kept").write_text("kept")
    try:
        with pytest.raises(StepFailed) as caught:
            files.workspace_remove(root, SLUG)
        assert caught.value.code == "workspace.not_removed"
        assert (root / SLUG / "data" / "kept").read_text() == "kept"
    finally:
        mounts.unmount(root / SLUG / "data")


def test_a_mount_point_with_a_space_is_found(tmp_path: Path) -> None:
    root = tmp_path / "with space"
    files.config_mount(root, SLUG, UID, {})
    assert files.config_mounts(root) == {SLUG}
    files.config_unmount(root, SLUG)


async def test_a_running_container_cannot_trick_the_host(engine: Engine, docker: Docker, test_image: str, tmp_path: Path) -> None:
    async with tenant(docker, tmp_path, test_image, SLUG, 1) as made:
        config = tmp_path / "config"
        script = (
            "cd /zeroclaw-data/.zeroclaw && rm config.toml && ln -s /etc/shadow config.toml && mkfifo fifo && ln -s / all && rmdir data"
        )
        code, _ = await inside(engine.socket, made.name, script)
        assert code != 0, "data is mounted and cannot be removed"
        for name in ("config.toml", "fifo", "all/etc/shadow"):
            assert files.config_read(config, SLUG, name, 10_000) is None
        files.workspace_create(tmp_path / "tenants", SLUG, UID)
        await docker.stop(made.container_id, 5)
        await docker.start(made.container_id)


async def test_a_replaced_mount_is_seen_only_after_a_restart(engine: Engine, docker: Docker, test_image: str, tmp_path: Path) -> None:
    async with tenant(docker, tmp_path, test_image, SLUG, 1) as made:
        nonce = files.config_nonce(tmp_path / "config", SLUG)
        files.config_mount(tmp_path / "config", SLUG, UID, {"config.toml": b"new"})
        assert files.config_nonce(tmp_path / "config", SLUG) != nonce
        read = "cat /zeroclaw-data/.zeroclaw/config.toml"
        assert (await inside(engine.socket, made.name, read))[1] != "new"
        await docker.stop(made.container_id, 5)
        await docker.start(made.container_id)
        assert (await inside(engine.socket, made.name, read))[1] == "new"
        assert NAMES.container(SLUG) == made.name


def _deep(top: Path, levels: int) -> None:
    """Deeper than a path may be long: made step by step from inside."""
    script = "import os,sys\nos.chdir(sys.argv[1])\nfor _ in range(int(sys.argv[2])):\n os.mkdir('d')\n os.chdir('d')"
    subprocess.run(["python3", "-c", script, str(top), str(levels)], check=True)
