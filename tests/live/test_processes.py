"""The processes: what the web process cannot do, how each ends, and what starts again. Tried with its own uid, not read from its arguments."""

import os
import pwd
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.live import invariants
from tests.live.platform import Platform
from tests.live.waiting import wait_until

pytestmark = pytest.mark.live


def _as_web(platform: Platform, code: str) -> str:
    """Run Python as the web user, in the process's own bounds; gives what it printed."""
    user = pwd.getpwnam(platform.settings.web_user)
    command = [
        "setpriv",
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--no-new-privs",
        "--bounding-set=-all",
        "--inh-caps=-all",
    ]
    done = subprocess.run([*command, sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False, cwd="/")
    return done.stdout + done.stderr


def test_the_web_process_has_no_way_up(platform: Platform) -> None:
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{platform.web_pid()}/status").read_text().splitlines() if ":\t" in line)
    uid = str(pwd.getpwnam(platform.settings.web_user).pw_uid)
    assert set(status["Uid"].split()) == {uid}
    assert status["Groups"].strip() == ""
    assert status["NoNewPrivs"] == "1"
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name


def test_the_web_process_holds_only_what_it_was_given(platform: Platform) -> None:
    """No open file of it leads to the engine, to Caddy's admin socket, to the key or to a tenant."""
    targets = [os.readlink(f"/proc/{platform.web_pid()}/fd/{name}") for name in os.listdir(f"/proc/{platform.web_pid()}/fd")]
    plain = [target for target in targets if target.startswith("/") and not target.startswith("/dev/")]
    allowed = {str(path) for path in platform.settings.database.parent.iterdir()} | {str(platform.root / "serve.log")}
    assert set(plain) <= allowed
    assert _unix_sockets(targets) <= {"*", str(platform.settings.web_socket), str(platform.settings.worker_socket)}
    environment = Path(f"/proc/{platform.web_pid()}/environ").read_bytes()
    arguments = Path(f"/proc/{platform.web_pid()}/cmdline").read_bytes()
    for secret in (platform.settings.key_file.read_bytes().strip(), platform.token.encode()):
        assert secret not in environment + arguments


def _unix_sockets(targets: list[str]) -> set[str]:
    """The names of its sockets and of those at their other ends; `*` for one without a name."""
    listed = subprocess.run(["ss", "-xaHn"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    path_of = {row[5]: row[4] for row in rows}
    own = {target.removeprefix("socket:[").removesuffix("]") for target in targets if target.startswith("socket:[")}
    ends = own | {row[7] for row in rows if row[5] in own}
    assert own & path_of.keys(), "its listening socket is one of them"
    return {path_of[inode] for inode in ends if inode in path_of}


@pytest.mark.parametrize("what", ["docker", "caddy", "key", "settings", "tenants", "config"])
def test_the_web_user_opens_nothing_of_the_worker(platform: Platform, what: str) -> None:
    settings = platform.settings
    tries = {
        "docker": f"import socket; socket.socket(socket.AF_UNIX).connect({str(settings.docker_socket)!r})",
        "caddy": f"import socket; socket.socket(socket.AF_UNIX).connect({str(settings.caddy_socket)!r})",
        "key": f"open({str(settings.key_file)!r}).read()",
        "settings": f"open({str(platform.settings_path)!r}, 'a')",
        "tenants": f"import os; os.listdir({str(settings.tenants_dir)!r})",
        "config": f"import os; os.listdir({str(settings.config_dir)!r})",
    }
    assert "PermissionError" in _as_web(platform, tries[what])


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_the_web_user_can_not_rename_or_remove_database_files(platform: Platform, suffix: str) -> None:
    path = f"{platform.settings.database}{suffix}"
    told = _as_web(
        platform,
        f"import os\nfor act in (lambda: os.rename({path!r}, {path + '.x'!r}), lambda: os.unlink({path!r})):\n try: act(); print('DONE')\n except PermissionError: print('refused')",
    )
    assert told.split() == ["refused", "refused"]


def test_the_web_user_writes_rows_and_gets_no_other_container(platform: Platform) -> None:
    """A web process that was taken over: it has the database. What it writes there widens nothing."""
    user = pwd.getpwnam(platform.settings.web_user)
    tenant_id = platform.create("hostile")
    stranger = platform.docker("import", "/dev/null", "evil:latest") or platform.docker("images", "-q", "--no-trunc", "evil:latest")
    tampers = {
        "image.not_allowed": f"UPDATE images SET image_id = '{stranger}'",
        "tenant.invalid": f"UPDATE allocations SET number = 0 WHERE kind = 'uid' AND tenant_id = '{tenant_id}'",
    }
    with platform.database() as database:
        good = database.read(lambda tx: tx.execute("SELECT image_id FROM images WHERE status = 'ready'").fetchone())[0]
    for code, sql in tampers.items():
        script = f"import apsw; c = apsw.Connection({str(platform.settings.database)!r}); c.set_busy_timeout(5000); c.execute({sql!r}); print('written')"
        assert "written" in _as_web(platform, script), "the web user may write rows; that is the point"
        ended = platform.end(platform.ask("hostile", "deploy"))
        assert (ended["status"], ended["error"]["code"]) == ("failed", code)
        assert platform.docker("ps", "-aq", "--filter", f"name=^{platform.names.container('hostile')}$") == ""
        with platform.database() as database:
            database.write_now(lambda tx: tx.execute("UPDATE images SET image_id = ? WHERE status = 'ready'", (good,)))
    with platform.database() as database:
        database.write_now(lambda tx: tx.execute("DELETE FROM allocations WHERE number = 0"))
    platform.do("hostile", "deploy")
    inspected = platform.docker(
        "inspect", "-f", "{{.Config.User}} {{.HostConfig.Privileged}} {{.HostConfig.NetworkMode}}", platform.names.container("hostile")
    )
    uid, privileged, network = inspected.split()
    assert int(uid.split(":")[0]) in platform.settings.uid_span
    assert (privileged, network) == ("false", platform.names.network("hostile"))
    assert user.pw_uid not in platform.settings.uid_span
    platform.do("hostile", "delete")
    invariants.check(platform)


def test_a_killed_web_process_comes_back_without_a_refused_connection(platform: Platform) -> None:
    before = platform.web_pid()
    failures: list[str] = []
    answered = threading.Event()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                with platform.client() as client:
                    if client.get("/healthz").status_code == 200:
                        answered.set()
            except httpx2.ConnectError as error:
                failures.append(str(error))
            except httpx2.TransportError:
                continue  # the answer under way died with the process; a new connection is what must not be refused

    thread = threading.Thread(target=ask)
    thread.start()
    os.kill(before, signal.SIGKILL)
    answered.clear()
    wait_until(answered.is_set, 10, "requests are answered again")
    stop.set()
    thread.join()
    assert failures == []
    assert platform.web_pid() != before


def test_a_killed_worker_takes_its_child_along(platform: Platform) -> None:
    child = platform.web_pid()
    platform.kill_serve()
    wait_until(lambda: not Path(f"/proc/{child}").exists(), 3, "the web process is gone")
    platform.start_serve()


def test_a_second_serve_on_the_same_data_refuses(platform: Platform) -> None:
    second = platform._run("serve")
    assert second.wait(20) == 78
    assert "holds" in platform.log()
    assert platform.is_ready()


def test_sigterm_ends_all_within_ten_seconds_with_open_streams_and_a_stop_under_way(platform: Platform) -> None:
    platform.create("busy")
    platform.do("busy", "deploy")
    opened = threading.Event()

    def listen() -> None:
        try:
            with platform.client() as client, client.stream("GET", "/api/events") as answer:
                for _ in answer.iter_lines():
                    opened.set()
        except httpx2.TransportError:
            return

    threads = [threading.Thread(target=listen) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert opened.wait(5)
    platform.docker("pause", platform.names.container("busy"))  # so that its stop takes as long as a stop may take
    operation = platform.ask("busy", "stop")
    wait_until(
        lambda: any(
            step["name"] == "stop" and step["status"] == "running"
            for step in platform.api("GET", f"/api/operations/{operation['id']}").body["steps"]
        ),
        10,
        "the stop is under way",
    )
    child, started = platform.web_pid(), time.monotonic()
    platform.stop_serve(10)
    assert time.monotonic() - started < 10
    assert not Path(f"/proc/{child}").exists()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    platform.docker("unpause", platform.names.container("busy"))
    platform.start_serve()
    platform.finish(operation, 60)
    platform.do("busy", "delete")
    invariants.check(platform)


def test_caddy_runs_as_its_own_user(platform: Platform) -> None:
    assert platform.edge is not None
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{platform.edge.pid}/status").read_text().splitlines() if ":\t" in line)
    assert set(status["Uid"].split()) == {str(pwd.getpwnam(platform.settings.edge_user).pw_uid)}
    assert status["NoNewPrivs"] == "1"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("no_such_key = 1", "no_such_key"),
        ('parallel = "many"', "parallel"),
        ('ports = "9-1"', "ports"),
        ("= 3", "TOML"),
        ('uids = "0-70000"', "uids"),
    ],
)
def test_a_wrong_settings_file_is_refused_and_names_the_key(platform: Platform, tmp_path: Path, line: str, named: str) -> None:
    other = tmp_path / "settings.toml"
    kept = [old for old in platform.settings_path.read_text().splitlines() if old.split(" ")[0] != line.split(" ")[0]]
    data = [
        f'data_dir = "{tmp_path}/data"' if old.startswith("data_dir") else 'instance = "other"' if old.startswith("instance") else old
        for old in kept
    ]
    other.write_text("\n".join([*data, line]) + "\n")
    other.chmod(0o600)
    done = subprocess.run(
        [sys.executable, "-I", "-m", "zcplatform", "serve", "--settings", str(other)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 78
    assert named in done.stderr


def test_a_wrong_key_stops_the_start_and_changes_nothing(platform: Platform) -> None:
    platform.stop_serve()
    right = platform.settings.key_file.read_bytes()
    before = platform.settings.database.read_bytes()
    try:
        platform.settings.key_file.write_text("ab12" * 16)
        refused, used_s = _refused_after(platform)
        assert refused == 78
        assert used_s < 2, "of the processor's time, which a busy machine does not stretch; nothing waits"
        assert "is not the key of" in platform.log()
        assert platform.settings.database.read_bytes() == before
        platform.settings.key_file.unlink()
        assert platform._run("serve").wait(10) == 78
    finally:
        platform.settings.key_file.write_bytes(right)
        platform.settings.key_file.chmod(0o600)
    platform.start_serve()


def _refused_after(platform: Platform) -> tuple[int, float]:
    """How a start ended, and the processor's time it took."""
    process = platform._run("serve")
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used.ru_utime + used.ru_stime


def test_a_newer_database_is_refused(platform: Platform) -> None:
    platform.stop_serve()
    with platform.database() as database:
        version = database.write_now(lambda tx: tx.pragma("user_version"))
        database.write_now(lambda tx: tx.pragma("user_version", 999))
    assert platform._run("serve").wait(10) == 78
    assert "schema 999" in platform.log()
    with platform.database() as database:
        database.write_now(lambda tx: tx.pragma("user_version", version))
    platform.start_serve()


def test_serve_needs_root(platform: Platform) -> None:
    told = _as_web(platform, "from zcplatform import settings; from zcplatform.worker import app; app.run(settings.Settings())")
    assert "must be started as root" in told


def test_no_secret_is_where_it_must_not_be(platform: Platform) -> None:
    """A first look (the whole canary scan is its own work): database files, logs, the engine's data, inspect, process table."""
    platform.create("canary")
    platform.do("canary", "deploy")
    bearer = platform.pair("canary")
    assert "hello" in platform.talk("canary", bearer)
    places = [
        *platform.settings.database.parent.iterdir(),
        *platform.root.glob("*.log"),
        *(platform.engine.root / "data" / "containers").rglob("*"),
    ]
    places += list((platform.settings.tenants_dir / "canary").rglob("*"))
    assert [str(path) for path in places if path.is_file() and b"sk-canary-7f3a" in path.read_bytes()] == []
    assert "sk-canary" not in platform.docker("inspect", platform.names.container("canary"))
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        assert b"sk-canary" not in told
    platform.do("canary", "delete")


@pytest.fixture
def careless() -> Iterator[None]:
    """What is started from here may write cores as large as it likes, as on a host that wants them."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def test_a_crash_leaves_no_core(platform: Platform, careless: None, tmp_path: Path) -> None:
    """S-96: worker, web process, edge and agent are killed as by a bug of their own. A process without the guard does leave one here."""
    platform.stop_serve()
    platform.stop_edge()
    platform.start_serve()
    platform.start_edge()
    platform.create("crash")
    platform.do("crash", "deploy")
    agent = int(platform.docker("inspect", "-f", "{{.State.Pid}}", platform.names.container("crash")))
    assert platform.serve is not None
    assert platform.edge is not None
    for pid in (platform.serve.pid, platform.web_pid(), platform.edge.pid, agent):
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert "Max core file size        0                    0 " in limits, Path(f"/proc/{pid}/cmdline").read_bytes()
    web = platform.web_pid()
    assert os.stat(f"/proc/{web}/environ").st_uid == 0, "its memory is root's to read, not its user's"
    assert "PermissionError" in _as_web(platform, f"open('/proc/{web}/mem', 'rb')")
    before = _cores(platform)
    os.kill(agent, signal.SIGSEGV)
    os.kill(web, signal.SIGSEGV)
    wait_until(lambda: not Path(f"/proc/{web}").exists(), 10, "the web process crashed")
    platform.edge.send_signal(signal.SIGABRT)
    platform.serve.send_signal(signal.SIGSEGV)
    assert _ended(platform.edge) != os.CLD_DUMPED
    assert _ended(platform.serve) == os.CLD_KILLED
    unguarded = subprocess.Popen([sys.executable, "-I", "-c", "import os; os.abort()"], cwd=tmp_path)
    assert _ended(unguarded) == os.CLD_DUMPED, "this machine does write cores"
    assert _cores(platform) == before
    platform.start_serve()
    platform.start_edge()
    platform.wait_state("crash", "running")
    platform.do("crash", "delete")
    invariants.check(platform)


def _ended(process: subprocess.Popen[bytes]) -> int:
    """How the kernel says that it ended: with a core or without."""
    told = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    process.wait()
    assert told is not None
    return told.si_code


def _cores(platform: Platform) -> set[str]:
    places = [
        Path("/"),
        Path.cwd(),
        platform.root,
        platform.run,
        platform.settings.data_dir / "edge",
        *platform.settings.tenants_dir.rglob("*"),
    ]
    return {str(path) for place in places if place.is_dir() for path in place.glob("*core*") if path.is_file()}


def test_the_configuration_is_on_a_tmpfs_alone_and_gone_with_the_stop(platform: Platform) -> None:
    """S-97, S-101: nothing of it in the workspace, whatever the agent saves; nothing left when it was stopped, or the machine was."""
    platform.create("quiet")
    platform.do("quiet", "deploy")
    assert "hello" in platform.talk("quiet", platform.pair("quiet"))  # pairing makes the agent save its file
    folder = platform.settings.config_dir / "quiet"
    (line,) = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if line.split(" ")[4] == str(folder)]
    assert " - tmpfs " in line
    assert "noswap" in line.rpartition(" ")[2].split(",")
    uid = int(platform.docker("inspect", "-f", "{{.Config.User}}", platform.names.container("quiet")).split(":")[0])
    saved = {path for path in folder.rglob("*") if path.is_file() and path.name != "nonce"}
    assert {"config.toml", ".secret_key"} <= {path.name for path in saved}
    assert {(path.stat().st_uid, path.stat().st_mode & 0o077) for path in saved} == {(uid, 0)}
    kept = {path.name for path in (platform.settings.tenants_dir / "quiet").rglob("*")}
    assert {name for name in kept if "config.toml" in name or "secret_key" in name} == set()
    platform.do("quiet", "stop")
    assert not folder.exists(), "the stop has ended, and so has it"
    platform.do("quiet", "start")
    assert folder.is_dir()
    platform.do("quiet", "delete")
    assert not folder.exists()


def test_what_no_request_asked_for_is_in_the_audit_log_too(platform: Platform) -> None:
    """S-113: the start of the worker, images, states, the vault, a stop; each by the part that did it."""
    platform.create("told")
    platform.do("told", "deploy")
    platform.do("told", "delete")
    platform.stop_serve()
    platform.start_serve()
    with platform.database() as database:
        found = set(database.read(lambda tx: tx.execute("SELECT actor, action FROM audit_log WHERE actor LIKE 'system:%'").fetchall()))
    assert {
        ("system:worker", "worker.start"), ("system:worker", "worker.stop"), ("system:images", "image.ready"),
        ("system:vault", "secret.keep"), ("system:state", "tenant.state"), ("system:reconcile", "tenant.deleted"),
    } <= found  # fmt: skip
