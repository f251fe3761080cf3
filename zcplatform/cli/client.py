"""The HTTP client of the command line: where the API is, who asks, and errors as sentences.

Where: `--api`, the saved login, or the local socket (which only root may open). Who: a token from a file, never from arguments or environment.
"""

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from zcplatform.errors import PlatformError

LOCAL = "http://zcplatform.local"


class Told(PlatformError):
    """What the API, or the way to it, said no to."""


@dataclass(frozen=True)
class Login:
    """`socket` is the local unix socket; without one `api` is reached over TCP."""

    api: str
    token: str
    socket: Path | None = None


def login_path() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "zcplatform" / "login.json"


def save_login(login: Login) -> Path:
    """0600 from the first byte on."""
    path = login_path()
    path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"api": login.api, "token": login.token, "socket": str(login.socket) if login.socket else None}, file)
    new.replace(path)
    return path


def find_login(api: str | None, token_file: Path | None) -> Login:
    """Raises Told with what to do when nothing says where the API is or who asks."""
    saved = _saved()
    if token_file is not None:
        token = _token(token_file)
    elif saved is not None:
        token = saved.token
    else:
        raise Told(
            "login.missing",
            "You are not signed in",
            "on the host: zcplatform admin token create --name NAME --save; elsewhere: zcplatform login",
        )
    if api is not None:
        return Login(api.rstrip("/"), token)
    if saved is not None:
        return Login(saved.api, token, saved.socket)
    raise Told("login.missing", "Nothing says where the API is", "use --api URL, or zcplatform login")


def _saved() -> Login | None:
    try:
        told = json.loads(login_path().read_text())
        return Login(told["api"], told["token"], Path(told["socket"]) if told.get("socket") else None)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError):
        raise Told("login.unreadable", f"{login_path()} can not be read", "remove it and sign in again") from None


def _token(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise Told("login.token_file", f"{path} can not be read: {error.strerror}", "name a file that holds one token") from None


class Api:
    """One connection pool; use it with `with`."""

    def __init__(self, login: Login) -> None:
        base, headers = login.api, {"Authorization": f"Bearer {login.token}"}
        self._where = str(login.socket or login.api)
        url = httpx2.URL(base)
        if url.host.endswith(".localhost"):  # many resolvers do not know these names
            headers["Host"] = url.netloc.decode()
            base = str(url.copy_with(host="127.0.0.1"))
        transport = httpx2.HTTPTransport(uds=str(login.socket) if login.socket else None, retries=2)
        self._client = httpx2.Client(base_url=base, headers=headers, transport=transport, timeout=30, trust_env=False)

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **query: object) -> Any:
        return self._ask("GET", path, params={key: value for key, value in query.items() if value is not None})

    def send(self, method: str, path: str, body: object = None) -> Any:
        """A mutation, under a key of its own."""
        options: dict[str, Any] = {"headers": {"Idempotency-Key": str(uuid.uuid4())}}
        if body is not None:
            options["json"] = body
        return self._ask(method, path, **options)

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        with self._errors():
            answer = self._client.request(method, path, **options)
            _check(answer)
            return answer.json()

    @contextmanager
    def stream(self, path: str, query: Mapping[str, object], accept: str = "*/*") -> Iterator[Iterator[str]]:
        """The lines of an answer that may have no end."""
        params: dict[str, Any] = {key: value for key, value in query.items() if value is not None}
        timeout = httpx2.Timeout(30, read=None)
        with self._errors(), self._client.stream("GET", path, params=params, headers={"Accept": accept}, timeout=timeout) as answer:
            if answer.is_error:
                answer.read()
            _check(answer)
            yield answer.iter_lines()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except httpx2.HTTPError as error:
            raise Told("api.unreachable", f"The API at {self._where} does not answer: {error}", "is `zcplatform serve` running?") from None


def _check(answer: httpx2.Response) -> None:
    if not answer.is_error:
        return
    try:
        told = answer.json()
        raise Told(told["code"], told["detail"], told["hint"], fields=told["fields"])
    except (ValueError, KeyError, TypeError):
        raise Told(
            "api.answer", f"The API answered {answer.status_code} without a reason", "is this the address of a zcplatform?"
        ) from None
