"""The HTTP client of the command line: requests, streams, and errors as sentences. Only the connection is retried, never a request.

At a terminal it asks for what the API misses and then repeats the request under the same idempotency key: the reason of a super-admin, or a
fresh code (step-up) for a session.
"""

import os
import ssl
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.cookies import CookieError, SimpleCookie
from typing import Any

import httpx2

from zcplatform.cli import prompts
from zcplatform.cli.connection_errors import explain, not_our_api
from zcplatform.cli.credentials import Credentials
from zcplatform.cli.errors import CommandError, unsendable_reason
from zcplatform.cli.hints import hint_for

TIMEOUT_S = 30
CONNECT_TRIES = 3
"""About 1.5 seconds: a web process that is started again is back after half a second."""
MOST_QUESTIONS = 2
"""A request may miss a reason and a fresh code."""
SESSION = "__Host-zcp_session"
CHALLENGE = "__Host-zcp_challenge"
BROWSER = "__Host-zcp_browser"
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class Api:
    """One connection pool; use it with `with`. `cookies` are those the API set last; they are never sent by themselves."""

    def __init__(self, login: Credentials, timeout_s: float = TIMEOUT_S, reason: str | None = None) -> None:
        self.login = login
        self.cookies: dict[str, str] = {}
        self.url = _url(login.api)
        base, headers = self.url, _identity(login)
        if reason is not None:
            headers["X-Reason"] = reason
        self._extensions: dict[str, Any] = {}
        if self.url.host.endswith(".localhost"):  # many resolvers do not know these names
            headers["Host"] = self.url.netloc.decode()
            base = self.url.copy_with(host="127.0.0.1")
            self._extensions["sni_hostname"] = self.url.host
        transport = httpx2.HTTPTransport(verify=_trust(self.url), uds=str(login.socket) if login.socket else None, retries=CONNECT_TRIES)
        self._client = httpx2.Client(base_url=base, headers=headers, transport=transport, timeout=timeout_s, trust_env=False)

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **query: object) -> Any:
        return self._request("GET", path, params={key: value for key, value in query.items() if value is not None})

    def items(self, path: str, most: int | None = None, **query: object) -> list[dict[str, Any]]:
        """A list from all its pages, or its first `most` entries. Lists that have no pages take no `cursor` and `limit`: none is sent first."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self.get(path, cursor=cursor, limit=None if most is None else min(200, most - len(found)), **query)
            found += page["items"]
            cursor = page.get("next_cursor")
            if cursor is None or (most is not None and len(found) >= most):
                return found

    def send(self, method: str, path: str, body: object = None) -> Any:
        """A change, under an idempotency key of its own."""
        options: dict[str, Any] = {"headers": {"Idempotency-Key": str(uuid.uuid4())}}
        if body is not None:
            options["json"] = body
        return self._request(method, path, **options)

    def _request(self, method: str, path: str, **options: Any) -> Any:
        with self._errors():
            response = self._client.request(method, path, extensions=self._extensions, **options)
            for _ in range(MOST_QUESTIONS):
                if not self._supply_missing(response):
                    break
                response = self._client.request(method, path, extensions=self._extensions, **options)
            self._keep_cookies(response)
            self._check(response)
            if response.status_code == httpx2.codes.NO_CONTENT:
                return None
            try:
                return response.json()
            except ValueError:
                raise not_our_api(response, self.url, self.login.place) from None

    @contextmanager
    def stream(
        self, path: str, query: Mapping[str, object], *, accept: str = "*/*", silence_s: float | None = None, last_event: str = ""
    ) -> Iterator[Iterator[str]]:
        """The lines of a response that may have no end. `silence_s`: the longest time without a single byte."""
        params: dict[str, Any] = {key: value for key, value in query.items() if value is not None}
        headers = {"Accept": accept} | ({"Last-Event-ID": last_event} if last_event else {})
        timeout = httpx2.Timeout(TIMEOUT_S, read=silence_s)
        with self._errors(), ExitStack() as held:

            def begin() -> httpx2.Response:
                request = self._client.stream("GET", path, params=params, headers=headers, timeout=timeout, extensions=self._extensions)
                response = held.enter_context(request)
                if not response.is_success:
                    response.read()
                return response

            response = begin()
            if self._supply_missing(response):
                response = begin()
            self._check(response)
            yield response.iter_lines()

    def _supply_missing(self, response: httpx2.Response) -> bool:
        """Ask at the terminal for what this response says is missing. True when the request can be repeated; nothing was done so far."""
        if response.is_success or not sys.stdin.isatty():
            return False
        code = _problem(response).get("code")
        if code == "reason.needed":
            self._client.headers["X-Reason"] = _typed_reason()
            return True
        if code == "session.step_up_needed" and self.login.session:
            self._step_up()
            return True
        return False

    def _step_up(self) -> None:
        """Prove with a fresh code that the person is still there; good for ten minutes."""
        self.send("POST", "/api/auth/step-up/request")
        challenge = self.cookies.get(CHALLENGE, "")
        prompts.answer_code(
            f"This needs a fresh code. It is on its way to {self.login.email or 'your address'}",
            lambda code: self.send("POST", "/api/auth/step-up/verify", {"code": code, "challenge": challenge}),
        )

    def _keep_cookies(self, response: httpx2.Response) -> None:
        """Take the cookies out of the client, which would send them by rules for browsers."""
        self._client.cookies.clear()
        for header in response.headers.get_list("set-cookie"):
            try:
                self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(header).items()}
            except CookieError:
                continue

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except httpx2.HTTPError as error:
            raise explain(error, self.url, str(self.login.socket or "")) from None

    def _check(self, response: httpx2.Response) -> None:
        """Raises CommandError. Redirects are not followed: that would send the credentials elsewhere."""
        if response.is_success:
            return
        problem = _problem(response)
        if problem:
            code, fields = str(problem["code"]), problem.get("fields")
            detail = str(problem["detail"])
            hint = hint_for(code, detail, str(problem.get("hint") or ""), is_session=bool(self.login.session))
            error = CommandError(code, detail, hint, fields=fields if isinstance(fields, dict) else {})
        else:
            error = not_our_api(response, self.url, self.login.place)
        error.status = response.status_code
        raise error


def _problem(response: httpx2.Response) -> dict[str, Any]:
    """The problem+json of an error response; empty when it is none."""
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) and {"code", "detail"} <= problem.keys() else {}


def _typed_reason() -> str:
    reason = prompts.ask("You act here as a super-admin, not as a member. Its owners will read why")
    if not (reason.isascii() and reason.isprintable()):
        raise unsendable_reason()
    return reason


def _identity(login: Credentials) -> dict[str, str]:
    """The headers that say who is calling: a token, or a session as the panel's own page sends it."""
    if login.session:
        return {"Cookie": f"{SESSION}={login.session}", "Origin": login.api}
    if login.token:
        return {"Authorization": f"Bearer {login.token}"}
    return {"Cookie": f"{BROWSER}={login.browser}"} if login.browser else {}


def _trust(url: httpx2.URL) -> ssl.SSLContext | bool:
    """The system's authorities, or those of SSL_CERT_FILE. Reading them takes longer than most responses: only for TLS."""
    if url.scheme != "https":
        return False
    return ssl.create_default_context() if any(name in os.environ for name in CERTIFICATES) else True


def _url(text: str) -> httpx2.URL:
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise CommandError("login.address", f"`{text}` is not the address of an API", "For example https://panel.agents.example.com")
    return url
