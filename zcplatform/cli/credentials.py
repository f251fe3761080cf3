"""Where the API is and who asks. A token comes from a file, never from arguments or environment, and only goes to the API it was given for.

Where: `--api`, else ZCPLATFORM_API, else the saved login, else (for root, with `--token-file`) the socket of the installation on this host.
Who: `--token-file`, else the saved login.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from zcplatform.cli.errors import CommandError

LOCAL = "http://zcplatform.local"
VARIABLE = "ZCPLATFORM_API"


@dataclass(frozen=True)
class Credentials:
    """`socket` is the local unix socket; without one `api` is reached over TCP."""

    api: str
    token: str
    socket: Path | None = None


def credentials_path() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "zcplatform" / "login.json"


def save_credentials(login: Credentials) -> Path:
    """0600 from the first byte on."""
    path = credentials_path()
    try:
        path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"api": login.api, "token": login.token, "socket": str(login.socket) if login.socket else None}, file)
        new.replace(path)
    except OSError as error:
        raise CommandError(
            "login.unwritable", f"{path} can not be written: {error.strerror}", "set XDG_CONFIG_HOME to a folder of yours"
        ) from None
    return path


def find_credentials(api: str | None, token_file: Path | None, settings: Path | None) -> Credentials:
    """Raises CommandError with what to do when nothing says where the API is or who asks."""
    named = api or os.environ.get(VARIABLE)
    saved = _saved() if token_file is None or named is None else None
    if token_file is None:
        return _as_saved(saved, named)
    token = _token(token_file)
    if named is not None:
        return Credentials(named.rstrip("/"), token)
    if saved is not None:
        return Credentials(saved.api, token, saved.socket)
    if os.geteuid() == 0:
        from zcplatform.settings import load

        return Credentials(LOCAL, token, load(settings).web_socket)
    raise CommandError("login.missing", "Nothing says where the API is", "use --api URL, or zcplatform login")


def _as_saved(saved: Credentials | None, named: str | None) -> Credentials:
    """A saved token is for the API it was saved with: any other address could be anybody's."""
    if saved is None:
        raise CommandError(
            "login.missing",
            "You are not signed in",
            "on the host: zcplatform admin token create --name NAME --save; elsewhere: zcplatform login URL",
        )
    if named is not None and named.rstrip("/") != saved.api:
        raise CommandError(
            "login.elsewhere", f"The saved token is for {saved.socket or saved.api}, not for {named}", "name this one's with --token-file"
        )
    return saved


def _saved() -> Credentials | None:
    try:
        told = json.loads(credentials_path().read_text())
        return Credentials(told["api"], told["token"], Path(told["socket"]) if told.get("socket") else None)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise CommandError("login.unreadable", f"{credentials_path()} can not be read", "remove it and sign in again") from None


def _token(path: Path) -> str:
    """One line of printable ASCII; anything else could not even be sent."""
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise CommandError("login.token_file", f"{path} can not be read: {why}", "name a file that holds one token") from None
    return checked(token, str(path))


def checked(token: str, where: str) -> str:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise CommandError("login.token", f"{where} holds no token", "a token begins with zcp_ and is one word")
    return token
