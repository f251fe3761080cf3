"""Workspaces on a real kernel: made, repaired, written into, and never left through a link. Needs root, hence among the live tests."""

import os
import stat
from pathlib import Path

import pytest

from tests.live.handmade import UID
from zcplatform.adapters import files
from zcplatform.errors import StepFailed

pytestmark = pytest.mark.live

SLUG = "acme-one"


def test_a_workspace_is_made_and_put_right_again(tmp_path: Path) -> None:
    root = tmp_path / "tenants"
    files.workspace_create(root, SLUG, UID)
    (root / SLUG / "data" / "kept").write_text("kept")
    os.chown(root / SLUG / "state", 0, 0)
    (root / SLUG).chmod(0o755)
    files.workspace_create(root, SLUG, UID)
    assert root.stat().st_mode & 0o7777 == 0o711
    for path in (root / SLUG, *(root / SLUG / name for name in ("data", "agents", "shared", "state"))):
        seen = path.lstat()
        assert (seen.st_uid, seen.st_gid, seen.st_mode & 0o7777) == (UID, UID, 0o700)
    assert (root / SLUG / "data" / "kept").lstat().st_uid == 0, "what is in it is not ours to change"


@pytest.mark.parametrize("name", ["", "data"])
def test_a_workspace_with_a_link_in_its_place_is_refused(tmp_path: Path, name: str) -> None:
    root, host = tmp_path / "tenants", tmp_path / "host"
    host.mkdir(mode=0o755)
    root.mkdir()
    if name:
        (root / SLUG).mkdir()
    (root / SLUG / name if name else root / SLUG).symlink_to(host)
    with pytest.raises(StepFailed) as caught:
        files.workspace_create(root, SLUG, UID)
    assert caught.value.code == "workspace.unusable"
    assert (host.stat().st_uid, host.stat().st_mode & 0o7777) == (0, 0o755)


@pytest.mark.parametrize("kind", ["link", "link_to_directory", "dangling", "hard_link", "fifo", "same_content"])
def test_a_file_written_into_a_workspace_takes_the_place_of_what_the_tenant_put_there(tmp_path: Path, kind: str) -> None:
    root, host, name = tmp_path / "tenants", tmp_path / "host", "agents/main/AGENTS.md"
    host.mkdir()
    (host / "kept").write_text("wanted" if kind == "same_content" else "kept")
    files.workspace_create(root, SLUG, UID)
    files.workspace_write(root, SLUG, UID, name, b"before")
    place = root / SLUG / name
    place.unlink()
    match kind:
        case "link" | "same_content":
            place.symlink_to(host / "kept")
        case "link_to_directory":
            place.symlink_to(host)
        case "dangling":
            place.symlink_to(host / "new")
        case "hard_link":
            os.link(host / "kept", place)
        case "fifo":
            os.mkfifo(place)
    before = (host / "kept").stat()
    files.workspace_take_away(root, SLUG, name, b"kept")
    files.workspace_write(root, SLUG, UID, name, b"wanted")
    assert (stat.S_ISREG(place.lstat().st_mode), place.read_bytes(), place.lstat().st_uid) == (True, b"wanted", UID)
    after = (host / "kept").stat()
    assert [one.name for one in host.iterdir()] == ["kept"]
    assert (after.st_uid, after.st_mtime_ns, after.st_size) == (before.st_uid, before.st_mtime_ns, before.st_size)


def test_a_folder_of_a_workspace_that_is_a_link_is_set_aside_and_never_followed(tmp_path: Path) -> None:
    root, host = tmp_path / "tenants", tmp_path / "host"
    host.mkdir()
    (host / "AGENTS.md").write_text("kept")
    files.workspace_create(root, SLUG, UID)
    (root / SLUG / "agents" / "main").symlink_to(host)
    files.workspace_take_away(root, SLUG, "agents/main/AGENTS.md", b"kept")
    files.workspace_write(root, SLUG, UID, "agents/main/AGENTS.md", b"wanted")
    files.workspace_take_away(root, SLUG, "agents/main/AGENTS.md", b"kept")
    assert [(one.name, one.read_text()) for one in host.iterdir()] == [("AGENTS.md", "kept")]
    agents = root / SLUG / "agents"
    assert (agents / "main" / "AGENTS.md").read_text() == "wanted"
    assert (stat.S_ISDIR((agents / "main").lstat().st_mode), (agents / "main").lstat().st_uid) == (True, UID)
    assert [one.is_symlink() for one in agents.iterdir() if one.name.startswith("main.replaced-")] == [True]


@pytest.mark.parametrize("kind", ["file", "directory", "closed", "closed workspace"])
def test_a_workspace_that_its_tenant_made_unusable_is_repaired(tmp_path: Path, kind: str) -> None:
    """A5: modes and layout, and what was in the way is kept beside it."""
    root, name = tmp_path / "tenants", "agents/main/AGENTS.md"
    files.workspace_create(root, SLUG, UID)
    main = root / SLUG / "agents" / "main"
    match kind:
        case "file":
            main.write_text("in the way")
        case "directory":
            (main / "AGENTS.md" / "inner").mkdir(parents=True)
            os.chown(main, UID, UID)
        case "closed":
            main.mkdir(mode=0o000)
            os.chown(main, UID, UID)
        case "closed workspace":
            (root / SLUG / "data").chmod(0o000)
            assert files.workspace_owner(root, SLUG) is None, "seen as something to repair"
    files.workspace_create(root, SLUG, UID)
    files.workspace_write(root, SLUG, UID, name, b"wanted")
    assert files.workspace_owner(root, SLUG) == UID
    assert ((main / "AGENTS.md").read_text(), main.lstat().st_uid, main.lstat().st_mode & 0o700) == ("wanted", UID, 0o700)
