"""What people do with an installation: create, deploy and delete tenants by its API, visit their addresses through Caddy, pair and talk."""

from typing import Any

import httpx2

from tests.live.installation import MODEL_ADDRESS, Installation
from tests.live.waiting import wait_until


class Platform(Installation):
    def visit(self, slug: str, path: str, method: str = "GET", **options: Any) -> httpx2.Response:
        """Through Caddy, by the tenant's name."""
        headers = {"Host": f"{slug}.localhost:{self.settings.http_port}", **options.pop("headers", {})}
        return httpx2.request(
            method,
            f"http://127.0.0.1:{self.settings.http_port}{path}",
            headers=headers,
            timeout=30,
            verify=False,
            trust_env=False,
            **options,
        )

    def provider(self) -> dict[str, str]:
        return {
            "family": "custom",
            "model": "echo",
            "base_url": f"http://{MODEL_ADDRESS}:{self.model_port}/v1",
            "api_key": "sk-canary-7f3a",
        }

    def make_image(self) -> dict[str, Any]:
        """The demo agent's, or of the real program that AGENT names; the operation that made it."""
        wish = {"source": "build", "binary": self.agent} if self.agent else {"source": "demo"}
        return self.finish(self.api("POST", "/api/images", wish).body, 90)

    def create(self, slug: str, **fields: object) -> str:
        answer = self.api("POST", "/api/tenants", {"slug": slug, "provider": self.provider(), **fields})
        assert answer.status == 201, answer
        return str(answer.body["id"])

    def ask(self, slug: str, verb: str) -> dict[str, Any]:
        answer = self.api("DELETE", f"/api/tenants/{slug}") if verb == "delete" else self.api("POST", f"/api/tenants/{slug}/{verb}")
        assert answer.status == 202, answer
        return dict(answer.body)

    def do(self, slug: str, verb: str, limit_s: float = 40) -> dict[str, Any]:
        """Ask and wait until it succeeded."""
        return self.finish(self.ask(slug, verb), limit_s)

    def finish(self, operation: dict[str, Any], limit_s: float = 40) -> dict[str, Any]:
        ended = self.end(operation, limit_s)
        assert ended["status"] == "succeeded", f"{ended}\n{self.log()}"
        return ended

    def end(self, operation: dict[str, Any], limit_s: float = 40) -> dict[str, Any]:
        """Wait until an operation ended, whichever way."""
        assert "id" in operation, operation
        told: dict[str, Any] = {}

        def ended() -> bool:
            try:
                told.update(self.api("GET", f"/api/operations/{operation['id']}").body)
            except httpx2.TransportError:
                return False
            return told.get("finished_at") is not None

        try:
            wait_until(ended, limit_s, f"the operation ended: {operation['kind']}")
        except TimeoutError:
            raise AssertionError(f"{told}\n{self.log()}") from None
        return told

    def tenant(self, slug: str) -> dict[str, Any]:
        return dict(self.api("GET", f"/api/tenants/{slug}").body)

    def wait_state(self, slug: str, state: str, limit_s: float = 40) -> dict[str, Any]:
        wait_until(lambda: self.tenant(slug).get("state") == state, limit_s, f"{slug} is {state}, not {self.tenant(slug)}")
        return self.tenant(slug)

    def started_at(self, slug: str) -> str:
        """When the tenant's container was started, in the engine's words; empty while there is none."""
        return self.docker("inspect", "-f", "{{.State.StartedAt}}", self.names.container(slug))

    def wait_restarted(self, slug: str, since: str, limit_s: float = 40) -> None:
        """Wait until it runs again after its container of `since` ended. `wait_state` alone may see the state of before."""

        def runs_again() -> bool:
            if self.started_at(slug) in ("", since) or self.tenant(slug)["state"] != "running":
                return False
            try:
                return self.visit(slug, "/").status_code == 200
            except httpx2.TransportError:
                return False  # Caddy ends what waits for an answer when its routes change

        wait_until(runs_again, limit_s, f"{slug} runs again")

    def cpu(self, slug: str) -> int:
        """What the engine allows its container, in billionths of a core; -1 while there is none."""
        return int(self.docker("inspect", "-f", "{{.HostConfig.NanoCpus}}", self.names.container(slug)) or -1)

    def create_running(self, slug: str) -> None:
        """Created, deployed, and with the limits of its plan."""
        self.create(slug)
        self.do(slug, "deploy")
        self.wait_unboosted(slug)

    def wait_unboosted(self, slug: str) -> None:
        """Wait until its processor limit is the plan's: that of a start may be higher (start_boosts), and ends in the background."""
        plan = self.tenant(slug)["plan"]
        limit = next(item["cpu_millis"] for item in self.api("GET", "/api/plans").body["items"] if item["name"] == plan) * 1_000_000
        wait_until(lambda: self.cpu(slug) == limit, 20, "the plan's limit is back")

    def pair(self, slug: str) -> str:
        """A device's bearer, got as a person gets it."""
        answer = self.api("POST", f"/api/tenants/{slug}/pairing-code")
        assert answer.status == 200, answer
        paired = self.visit(slug, "/pair", "POST", headers={"X-Pairing-Code": answer.body["code"]})
        assert paired.status_code == 200, paired.text
        return str(paired.json()["token"])

    def talk(self, slug: str, bearer: str, message: str = "hello") -> str:
        answer = self.visit(slug, "/webhook", "POST", headers={"Authorization": f"Bearer {bearer}"}, json={"message": message})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["response"])
