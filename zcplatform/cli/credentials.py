"""Where the API is and what proves who is calling. One file of this user holds the saved logins, one for each API address (0600).

Where: `--api`, else ZCPLATFORM_API, else the current login, else (for root with a token) the socket of the installation on this host.
Who: `--token-file`, else ZCPLATFORM_TOKEN, else the saved login for that address. A saved login is sent to no other address than its own.
"""

import json
import os
import pwd
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zcplatform.cli.errors import CommandError

LOCAL = "http://zcplatform.local"
API_VARIABLE = "ZCPLATFORM_API"
TOKEN_VARIABLE = "ZCPLATFORM_TOKEN"  # noqa: S105
SIGN_IN = "zcplatform login URL --email ADDRESS"


@dataclass(frozen=True)
class Credentials:
    """A token or a session for one API; neither is needed to sign in.

    `socket` is the local unix socket; without one `api` is reached over TCP. `browser` marks this machine as known to the platform: it
    proves nothing by itself and stays after a logout, so that strangers who try this address cannot use up its sign-in codes.
    """

    api: str
    token: str = ""
    socket: Path | None = None
    session: str = ""
    browser: str = ""
    email: str = ""

    @property
    def is_signed_in(self) -> bool:
        return bool(self.token or self.session)

    @property
    def place(self) -> str:
        return str(self.socket or self.api)


@dataclass(frozen=True)
class Saved:
    """Everything in the file. `current` is the address that commands use when none is named."""

    current: str
    logins: dict[str, Credentials]

    @property
    def chosen(self) -> Credentials | None:
        login = self.logins.get(self.current)
        return login if login is not None and login.is_signed_in else None


def normalized(api: str) -> str:
    return api.strip().rstrip("/")


def credentials_path() -> Path:
    """Raises CommandError when this user has no home directory."""
    folder = os.environ.get("XDG_CONFIG_HOME")
    return (Path(folder) if folder else home(os.environ.get("HOME"), os.getuid()) / ".config") / "zcplatform" / "login.json"


def home(variable: str | None, uid: int) -> Path:
    """The home directory: HOME, else the one of the user database."""
    if variable:
        return Path(variable)
    try:
        return Path(pwd.getpwuid(uid).pw_dir)
    except KeyError:
        raise CommandError(
            "home.unknown", f"HOME is not set and user {uid} has no home directory", "Set XDG_CONFIG_HOME to a directory of yours."
        ) from None


def load_saved() -> Saved:
    """What is saved; nothing when there is no file, or no home directory to look in."""
    try:
        path = credentials_path()
    except CommandError:
        return Saved("", {})
    try:
        document = json.loads(path.read_text())
        if "logins" not in document:  # the format before sessions: one login with a token
            document = {"current": document["api"], "logins": {document["api"]: document}}
        return Saved(str(document["current"]), {api: _login(api, entry) for api, entry in document["logins"].items()})
    except FileNotFoundError:
        return Saved("", {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise CommandError("login.unreadable", f"{path} cannot be read", "Remove the file and sign in again.") from None


def _login(api: str, entry: dict[str, Any]) -> Credentials:
    texts = {name: str(entry.get(name) or "") for name in ("token", "session", "browser", "email")}
    return Credentials(api, socket=Path(entry["socket"]) if entry.get("socket") else None, **texts)


def save_credentials(login: Credentials) -> Path:
    """Add or replace the login for its address and make it the current one. Returns the file."""
    saved = load_saved()
    return _write(Saved(login.api, {**saved.logins, login.api: login}))


def forget_credentials(api: str) -> None:
    """Remove the token and session for this address."""
    saved = load_saved()
    logins = dict(saved.logins)
    kept = replace(logins.pop(api), token="", session="", email="")
    if kept.browser:
        logins[api] = kept
    others = [other for other, login in logins.items() if login.is_signed_in]
    current = saved.current if saved.current != api else (others[-1] if others else "")
    _write(Saved(current, logins))


def _write(saved: Saved) -> Path:
    """Mode 0600 from the first byte on, and never half a file."""
    path = credentials_path()
    try:
        path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"current": saved.current, "logins": {api: _entry(login) for api, login in saved.logins.items()}}, file, indent=1)
        new.replace(path)
    except OSError as error:
        raise CommandError(
            "login.unwritable", f"{path} cannot be written: {error.strerror}", "Set XDG_CONFIG_HOME to a directory of yours."
        ) from None
    return path


def _entry(login: Credentials) -> dict[str, str]:
    entry = {name: getattr(login, name) for name in ("token", "session", "browser", "email") if getattr(login, name)}
    return entry | ({"socket": str(login.socket)} if login.socket else {})


def find_credentials(api: str | None, token_file: Path | None, settings: Path | None) -> Credentials:
    """Raises CommandError, with what to do, when nothing says where the API is or who is calling."""
    named = normalized(api or os.environ.get(API_VARIABLE) or "")
    token = _given_token(token_file)
    if named and token:
        return Credentials(named, token)
    saved = load_saved()
    if not token:
        return _saved_login(saved, named)
    if saved.chosen is not None:
        return Credentials(saved.chosen.api, token, saved.chosen.socket)
    if os.geteuid() == 0:
        from zcplatform.settings import load

        return Credentials(LOCAL, token, load(settings).web_socket)
    raise CommandError("login.missing", "The address of the API is not known", f"Use --api URL or {API_VARIABLE}, or {SIGN_IN}")


def _given_token(token_file: Path | None) -> str:
    if token_file is not None:
        return _read_token(token_file)
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    return checked(token, TOKEN_VARIABLE) if token else ""


def _saved_login(saved: Saved, named: str) -> Credentials:
    if not named:
        if saved.chosen is None:
            raise CommandError(
                "login.missing", "You are not signed in", f"{SIGN_IN}; on the host: zcplatform admin token create --name NAME --save"
            )
        return saved.chosen
    login = saved.logins.get(named)
    if login is None or not login.is_signed_in:
        signed_in = f", only at {saved.chosen.place}" if saved.chosen is not None else ""
        raise CommandError("login.elsewhere", f"You are not signed in at {named}{signed_in}", f"zcplatform login {named} --email ADDRESS")
    return login


def _read_token(path: Path) -> str:
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise CommandError("login.token_file", f"{path} cannot be read: {why}", "Name a file that holds one token.") from None
    return checked(token, str(path))


def checked(token: str, where: str, hint: str = "A token is one word that begins with zcp_.") -> str:
    """One word of printable ASCII; anything else could not even be sent."""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise CommandError("login.token", f"{where} holds no token", hint)
    return token
