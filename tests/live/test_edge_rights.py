"""What the edge process may do, who may speak to it, and what it refuses to start with."""

import asyncio
import contextlib
import json
import os
import pwd
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.edge_rig import EdgeProcess, Rig, open_folder, rig
from zcplatform.adapters import rundirs
from zcplatform.core import edge
from zcplatform.errors import CannotRun
from zcplatform.settings import Settings

pytestmark = pytest.mark.live


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


async def test_caddy_runs_without_rights(made: Rig) -> None:
    await made.loop.apply()
    facts = dict(line.split(":\t", 1) for line in Path(f"/proc/{made.process.pid}/status").read_text().splitlines())
    assert facts["Uid"].split() == [str(made.settings.caddy_socket.stat().st_uid)] * 4
    assert facts["Uid"].split()[0] != "0"
    assert facts["Groups"].strip() == ""
    assert {facts[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert facts["NoNewPrivs"] == "1"
    environment = Path(f"/proc/{made.process.pid}/environ").read_bytes().split(b"\0")
    assert {entry.partition(b"=")[0] for entry in environment if entry} == {b"PATH", b"HOME", b"XDG_DATA_HOME", b"XDG_CONFIG_HOME"}


async def test_only_the_edge_and_root_reach_the_admin_socket(made: Rig) -> None:
    await made.loop.apply()
    made.route("beta", None)
    await made.loop.apply()
    path = made.settings.caddy_socket
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    knock = f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})"
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", knock]
    refused = await asyncio.to_thread(subprocess.run, as_nobody, capture_output=True, text=True, check=False)
    assert "PermissionError" in refused.stderr
    as_edge = [f"--re{kind}={getattr(path.stat(), f'st_{kind}')}" for kind in ("uid", "gid")]
    opened = await asyncio.to_thread(
        subprocess.run, ["setpriv", *as_edge, "--clear-groups", *as_nobody[4:]], capture_output=True, check=False
    )
    assert opened.returncode == 0


async def test_only_the_documents_ports_listen(made: Rig) -> None:
    await made.loop.apply()
    inodes = set()
    for handle in Path(f"/proc/{made.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(handle).removeprefix("socket:[").removesuffix("]"))
    listening = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{made.process.pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes and (fields[3] == "0A" or table.startswith("udp")):
                listening.add((table[:3], int(fields[1].split(":")[1], 16)))
    assert listening == {("tcp", made.settings.http_port), ("tcp", made.settings.ask_port)}


async def test_the_kept_document_is_the_edges_to_read_and_nobodys_to_write(made: Rig) -> None:
    await made.loop.apply()
    found = made.settings.edge_document.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o640, 0, made.edge_gid)
    assert json.loads(made.settings.edge_document.read_text()) == made.wanted()
    assert [path.name for path in made.settings.edge_document.parent.iterdir() if path.name.startswith(".")] == []


async def refusal(settings: Settings) -> str:
    """What `zcplatform edge` says instead of becoming Caddy."""
    process = EdgeProcess(settings)
    with pytest.raises(AssertionError) as told:
        await process.start()
    assert await process.end() == 78
    return str(told.value)


async def test_a_second_edge_on_the_same_folder_is_refused(made: Rig) -> None:
    assert "Another edge runs" in await refusal(made.settings)
    assert (await made.caddy.get())[0] == edge.base(made.site)


async def test_low_ports_are_the_only_right_that_is_ever_kept() -> None:
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 87))
    except OSError as error:
        raise AssertionError("this test needs a network of its own: unshare --net") from error
    async with rig(http_port=87) as low:
        await low.process.start()
        facts = dict(line.split(":\t", 1) for line in Path(f"/proc/{low.process.pid}/status").read_text().splitlines())
        assert {facts[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {f"{1 << 10:016x}"}
        assert (await low.ask("nobody.example.test")).status == 404


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"caddy_binary": Path("/nonexistent/caddy")}, "/nonexistent/caddy cannot be started"),
        ({"caddy_binary": Path("/bin/echo")}, "/bin/echo cannot be started"),
        (
            {"tls": "files", "tls_certificate": Path("/none.pem"), "tls_key": Path("/none.key")},
            "`tls_certificate` /none.pem does not exist",
        ),
    ],
)
async def test_what_cannot_work_is_refused_in_words(changes: dict[str, Any], words: str, folder: Path) -> None:
    assert words in await refusal(Settings(run_dir=folder / "run", data_dir=folder / "data", **changes))


async def test_a_caddy_that_is_too_old_is_refused(folder: Path) -> None:
    old = folder / "caddy"
    old.write_text("#!/bin/sh\necho v2.6.2\n")
    old.chmod(0o755)
    said = await refusal(Settings(run_dir=folder / "run", data_dir=folder / "data", caddy_binary=old))
    assert "at least 2.7 is needed" in said


async def test_a_folder_the_edge_cannot_enter_is_named(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    assert f"{closed} is not accessible" in await refusal(Settings(run_dir=closed / "run", data_dir=folder / "data"))


async def test_the_folders_keep_strangers_out_and_may_be_made_twice(folder: Path) -> None:
    settings = Settings(run_dir=folder / "run")
    web, caddy = (pwd.getpwnam(name) for name in (settings.web_user, settings.edge_user))
    for _ in range(2):
        rundirs.prepare(settings)
        found = {
            path.name: (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid, path.stat().st_gid) for path in settings.run_dir.iterdir()
        }
        assert found == {
            "edge": (0o750, 0, caddy.pw_gid),
            "web": (0o750, 0, web.pw_gid),
            "caddy": (0o700, caddy.pw_uid, caddy.pw_gid),
            "config": (0o711, 0, 0),
            "check": (0o711, 0, 0),
        }
        assert stat.S_IMODE(settings.run_dir.stat().st_mode) == 0o711
        # Somebody opens one; the next call closes it.
        (settings.run_dir / "caddy").chmod(0o777)
        os.chown(settings.run_dir / "edge", web.pw_uid, web.pw_gid)


@pytest.mark.parametrize("kind", ["link", "file"])
async def test_a_folder_somebody_else_put_there_is_refused(kind: str, folder: Path) -> None:
    victim = folder / "victim"
    victim.mkdir(mode=0o755)
    (folder / "run").mkdir()
    place = folder / "run" / "caddy"
    place.symlink_to(victim) if kind == "link" else place.touch()
    with pytest.raises(CannotRun, match="is not a folder"):
        rundirs.prepare(Settings(run_dir=folder / "run"))
    assert (victim.stat().st_uid, stat.S_IMODE(victim.stat().st_mode)) == (0, 0o755)
