"""Create the unprivileged users of the platform if they are missing. Existing users are never changed."""

import pwd
import subprocess

from zcplatform.errors import CannotRun


def ensure_user(name: str) -> pwd.struct_passwd:
    """Create a user. An existing one is success, also if another process creates it at this moment."""
    found = _find(name)
    if found is None:
        command = [
            "useradd",
            "--system",
            "--user-group",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/usr/sbin/nologin",
            name,
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CannotRun("user.missing", f"The user {name} is missing and could not be created: {error}", " ".join(command)) from None
        found = _find(name)
        if found is None:
            raise CannotRun(
                "user.missing", f"The user {name} is missing and could not be created: {done.stderr.strip()}", " ".join(command)
            )
    if found.pw_uid == 0:
        raise CannotRun("user.privileged", f"The user {name} has uid 0", "Name an unprivileged user in the settings")
    return found


def _find(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
