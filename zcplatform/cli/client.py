"""The HTTP client of the command line: requests, endless answers, and errors as sentences. Nothing is asked twice but for a connection."""

import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx2
import typer

from zcplatform.cli.credentials import Credentials
from zcplatform.cli.errors import CommandError, unsendable_reason

TIMEOUT_S = 30
NO_CONTENT = 204
CONNECT_TRIES = 3
"""About 1.5 seconds: a web process that is started again is back after half a second."""


class Api:
    """One connection pool; use it with `with`."""

    def __init__(self, login: Credentials, timeout_s: float = TIMEOUT_S, reason: str | None = None) -> None:
        base, headers = login.api, {"Authorization": f"Bearer {login.token}"}
        if reason is not None:
            headers["X-Reason"] = reason
        self._where = str(login.socket or login.api)
        url = _url(base)
        if url.host.endswith(".localhost"):  # many resolvers do not know these names
            headers["Host"] = url.netloc.decode()
            base = str(url.copy_with(host="127.0.0.1"))
        # What TLS needs takes longer to read than most answers: only where it is spoken.
        is_tls = url.scheme == "https"
        transport = httpx2.HTTPTransport(verify=is_tls, uds=str(login.socket) if login.socket else None, retries=CONNECT_TRIES)
        self._client = httpx2.Client(base_url=base, headers=headers, transport=transport, timeout=timeout_s, trust_env=False)

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **query: object) -> Any:
        return self._request("GET", path, params={key: value for key, value in query.items() if value is not None})

    def items(self, path: str) -> list[dict[str, Any]]:
        """All pages of a list."""
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self.get(path, cursor=cursor or None, limit=200)
            found += page["items"]
            cursor = page.get("next_cursor")
        return found

    def send(self, method: str, path: str, body: object = None) -> Any:
        """A mutation, under a key of its own."""
        options: dict[str, Any] = {"headers": {"Idempotency-Key": str(uuid.uuid4())}}
        if body is not None:
            options["json"] = body
        return self._request(method, path, **options)

    def _request(self, method: str, path: str, **options: Any) -> Any:
        with self._errors():
            answer = self._client.request(method, path, **options)
            if self._ask_reason(answer):
                answer = self._client.request(method, path, **options)
            self._check(answer)
            if answer.status_code == NO_CONTENT:
                return None
            try:
                return answer.json() if answer.status_code != httpx2.codes.NO_CONTENT else None
            except ValueError:
                raise self._unexpected(answer) from None

    @contextmanager
    def stream(
        self, path: str, query: Mapping[str, object], *, accept: str = "*/*", silence_s: float | None = None
    ) -> Iterator[Iterator[str]]:
        """The lines of an answer that may have no end. `silence_s`: how long nothing at all may come."""
        params: dict[str, Any] = {key: value for key, value in query.items() if value is not None}
        timeout = httpx2.Timeout(TIMEOUT_S, read=silence_s)
        with self._errors(), ExitStack() as held:

            def begin() -> httpx2.Response:
                begun = held.enter_context(self._client.stream("GET", path, params=params, headers={"Accept": accept}, timeout=timeout))
                if not begun.is_success:
                    begun.read()
                return begun

            answer = begin()
            if self._ask_reason(answer):
                answer = begin()
            self._check(answer)
            yield answer.iter_lines()

    def _ask_reason(self, answer: httpx2.Response) -> bool:
        """A super-admin in a tenant of others, at a terminal, is asked for his reason; nothing was done without it."""
        if answer.status_code != httpx2.codes.UNPROCESSABLE_ENTITY or b'"reason.needed"' not in answer.content or not sys.stdin.isatty():
            return False
        reason = str(typer.prompt("You act in a tenant of others. Its owners will read why", err=True)).strip()
        if not (reason.isascii() and reason.isprintable()):
            raise unsendable_reason()
        self._client.headers["X-Reason"] = reason
        return True

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except httpx2.TimeoutException:
            raise CommandError(
                "api.unreachable", f"The API at {self._where} does not answer in time", "look at the host and its log"
            ) from None
        except httpx2.HTTPError as error:
            raise CommandError(
                "api.unreachable", f"The API at {self._where} does not answer: {error}", "is `zcplatform serve` running?"
            ) from None

    def _check(self, answer: httpx2.Response) -> None:
        """A redirect is none of our API's answers, and following it would send the token elsewhere."""
        if answer.is_success:
            return
        try:
            told = answer.json()
            error = CommandError(told["code"], told["detail"], told["hint"], fields=told["fields"])
        except (ValueError, KeyError, TypeError):
            error = self._unexpected(answer)
        error.status = answer.status_code
        raise error

    def _unexpected(self, answer: httpx2.Response) -> CommandError:
        hint = "is this the address of a zcplatform?"
        if answer.is_redirect:
            hint = f"it leads to {answer.headers.get('location', 'nowhere')}: use that address if it is yours"
        return CommandError(
            "api.answer", f"What answers at {self._where} is no zcplatform API: {answer.status_code} without a reason", hint
        )


def _url(text: str) -> httpx2.URL:
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise CommandError("login.address", f"`{text}` is no address of an API", "for example https://panel.agents.example.com")
    return url
