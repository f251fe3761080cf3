"""The edge process: Caddy as an unprivileged user, started with the last document it accepted.

`run` is root until its last line, which replaces this process with Caddy; the only privilege that Caddy keeps is to bind low ports. The edge does not need the
worker: while that is down, the routes of the saved document keep working. A saved document that is torn, rejected by Caddy or made for other settings is
ignored, and Caddy answers 404 for everything until the worker sets a complete one.
"""

import fcntl
import json
import os
import pwd
import re
import resource
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, NoReturn

from zcplatform import log
from zcplatform import settings as settings_module
from zcplatform.adapters import certificates, rundirs
from zcplatform.adapters.caddy import certificate_stamp, save_document
from zcplatform.adapters.users import ensure_user
from zcplatform.core import edge
from zcplatform.errors import CannotRun
from zcplatform.log import logger
from zcplatform.settings import Settings

OLDEST = (2, 7)
"""The first version with `stream_close_delay` and with modes for admin sockets."""


def run(settings: Settings) -> NoReturn:
    """Replace this process with Caddy. Raises CannotRun if a check fails before that."""
    if os.geteuid() != 0:
        raise CannotRun(
            "edge.not_root", "`zcplatform edge` must be started as root; Caddy itself runs unprivileged", "Use sudo, or the systemd unit"
        )
    rundirs.prepare(settings)
    user = ensure_user(settings.edge_user)
    state = _state_dir(settings, user)
    _only_one(settings)
    caddy = [*_unprivileged(settings, user), str(binary(settings))]
    environment = _environment(state)
    for folder in (settings.caddy_socket.parent, state):
        _enterable(settings, user, folder)
    _version(caddy, environment)
    trouble = certificates.trouble(settings)
    if trouble:
        raise CannotRun("edge.certificate", trouble, "docs/reference/edge.md has a place and modes that work")
    document = _document(settings, user, caddy, environment)
    os.chdir(state)
    os.umask(0o077)
    # A core dump would contain the private keys of certificates.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.execvpe(caddy[0], [*caddy, "run", "--config", str(document)], environment)  # noqa: S606  a list of arguments, none of them from outside


def _state_dir(settings: Settings, user: pwd.struct_passwd) -> Path:
    """Certificates and keys; the only thing Caddy keeps."""
    rundirs.make_parents(settings.data_dir)
    rundirs.folder(settings.data_dir, 0o711)
    state = settings.data_dir / "edge"
    rundirs.folder(state, 0o700, uid=user.pw_uid, gid=user.pw_gid)
    return state


def _only_one(settings: Settings) -> None:
    """Lock the run directory for this edge. Caddy inherits the lock and holds it until it ends.

    Without it, two instances of Caddy would share the ports (SO_REUSEPORT) and answer alternately.
    """
    handle = os.open(settings.run_dir / "edge.lock", os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CannotRun("edge.running", f"Another edge runs on {settings.run_dir}", "stop it first") from None
    os.set_inheritable(handle, True)


def binary(settings: Settings) -> Path:
    if settings.caddy_binary is not None:
        return settings.caddy_binary
    return Path(sysconfig.get_path("scripts")) / "caddy"


def _unprivileged(settings: Settings, user: pwd.struct_passwd) -> list[str]:
    ports = [settings.http_port, settings.ask_port, *([] if settings.tls == "off" else [settings.https_port])]
    low = "-all,+net_bind_service" if min(ports) < 1024 else "-all"
    return [
        "setpriv",
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--no-new-privs",
        f"--bounding-set={low}",
        f"--inh-caps={low}",
        f"--ambient-caps={low}",
        "--",
    ]


def _environment(state: Path) -> dict[str, str]:
    """Return the environment for Caddy. Of our own, only the notify socket of systemd is passed on."""
    kept = {name: os.environ[name] for name in ("NOTIFY_SOCKET",) if name in os.environ}
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(state), "XDG_DATA_HOME": str(state), "XDG_CONFIG_HOME": str(state), **kept}


def _enterable(settings: Settings, user: pwd.struct_passwd, folder: Path) -> None:
    command = [*_unprivileged(settings, user), "test", "-w", str(folder), "-a", "-x", str(folder)]
    if subprocess.run(command, cwd="/", env={"PATH": os.defpath}, timeout=30, check=False).returncode != 0:
        closed = next((str(above) for above in reversed(folder.parents) if not above.stat().st_mode & 0o001), str(folder))
        raise CannotRun(
            "edge.folder_closed", f"The user {settings.edge_user} cannot reach {folder}: {closed} is not accessible", f"chmod o+x {closed}"
        )


def _version(caddy: list[str], environment: dict[str, str]) -> None:
    try:
        done = subprocess.run([*caddy, "version"], env=environment, cwd="/", capture_output=True, text=True, timeout=30, check=False)
    except OSError as error:
        raise CannotRun("edge.no_setpriv", f"setpriv cannot be started: {error.strerror}", "Install util-linux") from None
    found = re.match(r"v?(\d+)\.(\d+)", done.stdout)
    if done.returncode != 0 or found is None:
        raise CannotRun("edge.no_caddy", f"{caddy[-1]} cannot be started: {done.stderr.strip()[:500]}", "See the setting caddy_binary")
    if (int(found[1]), int(found[2])) < OLDEST:
        oldest = ".".join(str(part) for part in OLDEST)
        raise CannotRun(
            "edge.old_caddy", f"{caddy[-1]} is {done.stdout.split()[0]}; at least {oldest} is needed", "See the setting caddy_binary"
        )


def _document(settings: Settings, user: pwd.struct_passwd, caddy: list[str], environment: dict[str, str]) -> Path:
    """Return the saved document if Caddy accepts it, otherwise the base document."""
    site = edge.Site.of(settings, certificate_stamp(settings.tls_certificate, settings.tls_key))
    kept = settings.edge_document
    wrong = _unfit(site, kept) or _refusal(caddy, environment, kept)
    if wrong is None:
        return kept
    logger.warning("edge.starts_with_base", document=str(kept), why=wrong)
    base = kept.with_name("base.json")
    save_document(base, edge.base(site), user.pw_gid)
    refusal = _refusal(caddy, environment, base)
    if refusal is not None:
        raise CannotRun(
            "edge.refused",
            f"Caddy refuses to start: {refusal}",
            f"Check that the user {settings.edge_user} can read tls_certificate and tls_key",
        )
    return base


def _unfit(site: edge.Site, kept: Path) -> str | None:
    try:
        found: Any = json.loads(kept.read_bytes())
    except FileNotFoundError:
        return "there is none yet"
    except (OSError, ValueError) as error:
        return f"it cannot be read: {error}"
    if not isinstance(found, dict) or not edge.fits(site, found):
        return "it was made for other settings"
    return None


def _refusal(caddy: list[str], environment: dict[str, str], document: Path) -> str | None:
    command = [*caddy, "validate", "--config", str(document)]
    quiet = {name: value for name, value in environment.items() if name != "NOTIFY_SOCKET"}
    try:
        done = subprocess.run(command, env=quiet, cwd="/", capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return "caddy validate did not end"
    return None if done.returncode == 0 else done.stderr.strip().splitlines()[-1][:500]


def main() -> None:
    try:
        settings = settings_module.load()
        log.configure("edge", settings.log_level)
        run(settings)
    except CannotRun as refused:
        sys.stderr.write(f"{refused.detail}\n{refused.hint}\n")
        sys.exit(78)


if __name__ == "__main__":
    main()
