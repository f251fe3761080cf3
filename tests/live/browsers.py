"""A browser as far as sign-in needs one: it keeps cookies and calls the API through Caddy, by the panel's name."""

import re

import httpx2

from tests.live.platform import Platform

MINE = "/api/me/sessions"


class Browser:
    """Keeps cookies as a browser on this machine does, which takes localhost names for secure. Asks from an address of its own."""

    def __init__(self, platform: Platform, address: str = "127.0.0.1") -> None:
        self.origin = platform.settings.panel_url
        self.cookies: dict[str, str] = {}
        transport = httpx2.HTTPTransport(local_address=address, verify=False)
        headers = {"Host": self.origin.removeprefix("http://")}
        self._client = httpx2.Client(
            transport=transport, base_url=f"http://127.0.0.1:{platform.settings.http_port}", headers=headers, timeout=30
        )

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> httpx2.Response:
        told = {"Origin": self.origin, "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), **headers}
        answer = self._client.request(method, path, headers=told, **({"json": body} if body is not None else {}))
        for cookie in answer.headers.get_list("set-cookie"):
            name, value, age = re.match(r"([^=]+)=\"?([^;\"]*)\"?;.*Max-Age=(\d+)", cookie).groups()  # type: ignore[union-attr]
            self.cookies.pop(name, None)
            if age != "0":
                self.cookies[name] = value
        return answer

    def request_code(self, email: str) -> httpx2.Response:
        return self.ask("POST", "/api/auth/otp/request", {"email": email})

    def give(self, code: str) -> httpx2.Response:
        return self.ask("POST", "/api/auth/otp/verify", {"code": code})

    def status(self) -> int:
        return self.ask("GET", MINE).status_code

    def close(self) -> None:
        self._client.close()
