"""Create the run directories with the sockets of the platform's processes. Owner and mode decide who may connect to whom.

The process that starts first creates them; calling this again changes nothing.
"""

import os
import stat
from pathlib import Path

from zcplatform.adapters.users import ensure_user
from zcplatform.errors import CannotRun
from zcplatform.settings import Settings


def prepare(settings: Settings) -> None:
    """Creates both users if they are missing. Must run as root."""
    web, edge = ensure_user(settings.web_user), ensure_user(settings.edge_user)
    make_parents(settings.run_dir)
    folder(settings.run_dir, 0o711)
    folder(settings.run_dir / "edge", 0o750, gid=edge.pw_gid)
    folder(settings.run_dir / "web", 0o750, gid=web.pw_gid)
    folder(settings.caddy_socket.parent, 0o700, uid=edge.pw_uid, gid=edge.pw_gid)
    folder(settings.config_dir, 0o711)
    folder(settings.check_dir, 0o711)


def make_parents(path: Path) -> None:
    """Create the missing folders above `path`, accessible to every user whatever the umask, because the platform's users must pass them."""
    for parent in reversed(path.parents):
        if not parent.exists():
            parent.mkdir(mode=0o755)
            parent.chmod(0o755)


def folder(path: Path, mode: int, uid: int = 0, gid: int = 0) -> None:
    """Ensure exactly this owner and mode. Raises CannotRun for a link or a file in its place: it is not ours."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise CannotRun("folder.unusable", f"{path} cannot be created: {error.strerror}", f"Create {path.parent} first") from None
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise CannotRun("folder.unusable", f"{path} is not a folder: {error.strerror}", f"Move {path} away") from None
    try:
        now = os.fstat(handle)
        if (now.st_uid, now.st_gid) != (uid, gid):
            os.fchown(handle, uid, gid)
        if stat.S_IMODE(now.st_mode) != mode:
            os.fchmod(handle, mode)
    finally:
        os.close(handle)
