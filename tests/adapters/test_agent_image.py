"""The images' file systems: complete enough to run, the same each time, and made of nothing that was not meant."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
from pathlib import Path

import pytest

from zcplatform.adapters import elf, python_tree
from zcplatform.adapters.agent_image import DASHBOARD, PROGRAM, Recipe, demo, zeroclaw
from zcplatform.adapters.image_tree import Tree
from zcplatform.agent.versions import parse
from zcplatform.errors import BadInput

PYTHON = Path(shutil.which("python3", path="/usr/bin") or sys.executable).resolve()
CADDY = Path(sysconfig.get_path("scripts")) / "caddy"
"""A program without shared libraries."""
PROGRAMS = [PYTHON, CADDY, *(Path(named) for named in [os.environ.get("AGENT")] if named)]


@pytest.fixture(scope="module")
def demo_image(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recipe]:
    out = tmp_path_factory.mktemp("image") / "demo.tar"
    return out, demo(out)


def members(image: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(image) as archive:
        return {member.name: member for member in archive}


def environment(recipe: Recipe) -> dict[str, str]:
    return dict(change.removeprefix("ENV ").split("=", 1) for change in recipe.changes if change.startswith("ENV "))


def in_root(image: Path, recipe: Recipe, root: Path, *arguments: str) -> str:
    """The output of the image's program with the unpacked image as its root, as nobody."""
    root.mkdir()
    subprocess.run(["tar", "-xpf", str(image), "-C", str(root)], check=True)
    for folder in (root, *root.parents[:3]):
        folder.chmod(0o755)
    result = subprocess.run(
        ["chroot", f"--userspec={elf.NOBODY}:{elf.NOBODY}", "--groups=", str(root), f"/{PROGRAM}", *arguments],
        env={**environment(recipe), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_demo_image_runs_from_nothing_else(demo_image: tuple[Path, Recipe], tmp_path: Path) -> None:
    image, recipe = demo_image
    assert in_root(image, recipe, tmp_path / "root", "--version") == f"zeroclaw {recipe.version}\n"
    assert str(parse(recipe.version)) == recipe.version


def test_the_demo_image_is_small_and_its_own(demo_image: tuple[Path, Recipe]) -> None:
    image, _ = demo_image
    found = members(image)
    assert image.stat().st_size < 90_000_000
    assert list(found) == sorted(found)
    for member in found.values():
        assert (member.uid, member.gid, member.mtime) == (0, 0, 0)
        assert member.isreg() or member.isdir()
    assert not [
        name for name in found if any(part in ("test", "tests", "idlelib", "tkinter", "ensurepip", "pip") for part in name.split("/"))
    ]
    ours = [name for name in found if "/zcplatform/" in name]
    assert {name.split("/zcplatform/")[1].split("/")[0] for name in ours} == {"__init__.pyc", "agent", "demo_agent"}
    assert [name for name in ours if "/agent/" in name] == [
        f"usr/lib/demo-agent/zcplatform/agent/{name}.pyc" for name in ("__init__", "sealed")
    ]


def test_the_demo_image_names_no_place_of_this_host(demo_image: tuple[Path, Recipe], tmp_path: Path) -> None:
    image, _ = demo_image
    places = {str(Path(__file__).parent.parent.parent).encode(), sysconfig.get_path("purelib").encode(), b"/tmp/"}
    with tarfile.open(image) as archive:
        for member in archive:
            if member.name.endswith(".pyc") and "demo-agent" in member.name:
                content = archive.extractfile(member)
                assert content is not None
                text = content.read()
                assert not [place for place in places if place in text], member.name


def test_the_demo_image_is_the_same_each_time(demo_image: tuple[Path, Recipe], tmp_path: Path) -> None:
    again = tmp_path / "again.tar"
    assert demo(again) == demo_image[1]
    assert again.read_bytes() == demo_image[0].read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.tar"]


def test_the_recipe_takes_the_command_of_the_official_image(demo_image: tuple[Path, Recipe]) -> None:
    changes = demo_image[1].changes
    assert 'ENTRYPOINT ["/usr/local/bin/zeroclaw"]' in changes
    assert "USER 65534:65534" in changes
    assert "EXPOSE 42617/tcp" in changes
    assert all(change.isprintable() for change in changes)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_program_is_packed_with_what_it_needs(program: Path, tmp_path: Path) -> None:
    dashboard = tmp_path / "dist"
    (dashboard / "_app").mkdir(parents=True)
    (dashboard / "index.html").write_text("<html>")
    (dashboard / "_app" / "a.js").write_text("1")
    (dashboard / "_app" / "passwd").symlink_to("/etc/passwd")
    (dashboard / "linked").symlink_to("/etc")
    os.mkfifo(dashboard / "pipe")
    recipe = zeroclaw(program, dashboard, tmp_path / "out.tar")
    found = members(tmp_path / "out.tar")
    assert parse(in_root(tmp_path / "out.tar", recipe, tmp_path / "root", "--version")) == parse(recipe.version)
    assert sorted(name for name in found if name.startswith(f"{DASHBOARD}/")) == [
        f"{DASHBOARD}/_app",
        f"{DASHBOARD}/_app/a.js",
        f"{DASHBOARD}/index.html",
    ]
    assert found["tmp"].mode == 0o1777
    shell = subprocess.run(["chroot", str(tmp_path / "root"), "/bin/sh", "-c", "echo works"], capture_output=True, text=True, check=False)
    assert shell.stdout == "works\n"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "image.not_a_program"),
        (b"#!/bin/sh\necho zeroclaw 0.8.7\n", "image.not_a_program"),
        (b"\x7fELF", "image.not_a_program"),
        (b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x02\x00\x28\x00" + bytes(100), "image.not_a_program"),
        (None, "image.unreadable"),
    ],
    ids=["empty", "script", "cut", "other machine", "missing"],
)
def test_what_is_no_program_is_refused(content: bytes | None, code: str, tmp_path: Path) -> None:
    path = tmp_path / "zeroclaw"
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o755)
    with pytest.raises(BadInput) as caught:
        zeroclaw(path, None, tmp_path / "out.tar")
    assert caught.value.code == code
    assert str(path) in caught.value.detail
    assert not (tmp_path / "out.tar").exists()


def test_a_folder_is_no_program(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        zeroclaw(tmp_path, None, tmp_path / "out.tar")
    assert caught.value.code == "image.unreadable"


def test_a_program_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        zeroclaw(Path("/bin/sh").resolve(), None, tmp_path / "out.tar")
    assert caught.value.code == "image.no_version"


def test_a_dashboard_without_a_page_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        zeroclaw(CADDY, tmp_path, tmp_path / "out.tar")
    assert caught.value.code == "image.no_dashboard"


@pytest.mark.parametrize("command", [["sleep", "100"], ["yes"], ["sh", "-c", "sleep 100 & echo gone"]], ids=["silent", "endless", "child"])
def test_a_program_that_does_not_end_is_left(command: list[str]) -> None:
    began = time.monotonic()
    with pytest.raises(BadInput) as caught:
        elf.run(command, as_nobody=True, timeout_s=0.3)
    assert caught.value.code == "image.program_hangs"
    assert time.monotonic() - began < 20, "it ends after 100 s, or never"


def test_a_host_too_slow_to_compile_is_told_so(tmp_path: Path) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text("#!/bin/sh\nexec sleep 60\n")
    interpreter.chmod(0o755)
    with pytest.raises(BadInput) as caught:
        python_tree.compile_all(interpreter, tmp_path, limit_s=0.2)
    assert caught.value.code == "image.not_compiled"
    assert "try again" in caught.value.hint


def test_a_program_is_asked_as_nobody_with_an_environment_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "secret")
    assert elf.run(["id", "-u"], as_nobody=True) == f"{elf.NOBODY}\n"
    assert elf.run(["id", "-G"], as_nobody=True) == f"{elf.NOBODY}\n"
    assert "CANARY" not in elf.run(["env"], as_nobody=False)


def test_a_program_that_can_not_be_started_is_said_so() -> None:
    with pytest.raises(BadInput) as caught:
        elf.run(["/nosuch"], as_nobody=True)
    assert caught.value.code == "image.program_fails"


def test_a_file_that_ldd_can_not_read_is_an_error_and_not_an_empty_list(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        elf.libraries([tmp_path / "nosuch"], as_nobody=False)
    assert caught.value.code == "image.no_libraries"


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", ""])
def test_no_name_leaves_the_root(name: str) -> None:
    with pytest.raises(ValueError, match="below the root"):
        Tree().text(name, "x")


def test_a_file_that_can_not_be_read_leaves_no_image(tmp_path: Path) -> None:
    tree = Tree()
    tree.file("a", tmp_path / "nosuch")
    with pytest.raises(FileNotFoundError):
        tree.write(tmp_path / "out.tar")
    assert list(tmp_path.iterdir()) == []
