"""What the API's own description promises, asked with what a machine makes of it: never a server error, never an answer that is not described.

The same examples each time. Each example is sent as every kind of caller: the answers differ, the promise does not.
"""

from collections.abc import Iterator

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import Case, GenerationMode
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from zcplatform.core.roles import Role
from zcplatform.store import users
from zcplatform.web.app import described

from .conftest import Web

EXAMPLES = 3
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
NEVER = ("internal.error", "audit.entry_missing", "audit.unwritable", "database.busy")
PEOPLE = (*Role, "super-admin", "super-admin without a reason", "service account")
DOCUMENT = described().openapi()
OPERATIONS = [found.ok() for found in from_dict(DOCUMENT).get_all_operations()]


def _cases(operation: object, mode: GenerationMode, **fixed: object) -> list[Case]:
    made: list[Case] = []

    @hypothesis.settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(operation.as_strategy(generation_mode=mode, **fixed))  # type: ignore[attr-defined]
    def make(case: Case) -> None:
        made.append(case)

    make()
    return made


def _asked(operation) -> Iterator[Case]:  # type: ignore[no-untyped-def]
    inside = {"path_parameters": {"tenant": "shop"}} if "{tenant}" in operation.path else {}
    yield from _cases(operation, GenerationMode.POSITIVE, **inside)
    if operation.body or operation.query:
        yield from _cases(operation, GenerationMode.NEGATIVE, **inside)


class Everybody:
    """One of each standing in the tenant `shop`, with the headers that act as them."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self.headers: dict[str, dict[str, str]] = {"stranger": {"Authorization": ""}, "host": {}}

    async def ready(self) -> None:
        """What an answer may have changed is as it was: the tenant is there, everybody's role and token too."""
        await self._web.client.post("/api/tenants", json={"slug": "shop"})
        known = {name: told for name, told in self.headers.items() if name not in PEOPLE}
        for role in Role:
            known[role] = self._web.member("shop", f"{role}@example.com", role)
        root = self._web.database.read(lambda tx: users.by_email(tx, "root@example.com"))
        of_root = self._web.token_of(root.id if root else self._web.user("root@example.com", is_super_admin=True))
        known["super-admin"] = {"Authorization": f"Bearer {of_root}", "X-Reason": "asked by a machine"}
        known["super-admin without a reason"] = {"Authorization": f"Bearer {of_root}"}
        service = await self._web.client.post("/api/tenants/shop/tokens", json={"name": "ci", "role": "owner"})
        known["service account"] = {"Authorization": f"Bearer {service.json()['token']}"}
        self.headers = known


@pytest.mark.parametrize("part", range(4))
async def test_no_request_gets_what_is_not_described(web: Web, part: int) -> None:
    """Every example by everybody."""
    web.client._transport.app.state.watcher.stopped.set()  # type: ignore[attr-defined]  # streams end at once
    web.image()
    everybody = Everybody(web)
    wrong: list[str] = []
    seen: set[tuple[object, ...]] = set()
    await everybody.ready()
    for operation in OPERATIONS[part::4]:
        for case in _asked(operation):
            sent = case.as_transport_kwargs()
            sent.pop("cookies")
            sent["content"] = sent.pop("data", None)
            own = {name: value for name, value in sent.pop("headers").items() if name.lower() not in ("authorization", "host")}
            for standing, headers in list(everybody.headers.items()):
                answer = await web.client.request(**sent, headers={**own, **headers})
                told = f"{standing}: {operation.label} {sent} -> {answer.status_code} {answer.text[:300]}"
                if answer.status_code >= 500 and (answer.status_code != 503 or answer.json().get("code") in NEVER):
                    wrong.append(told)
                if answer.is_success and operation.method != "get":
                    await everybody.ready()
                same = (operation.label, answer.status_code, answer.headers.get("content-type"), answer.content)
                if same in seen:  # the same answer holds the same promises
                    continue
                seen.add(same)
                try:
                    case.validate_response(answer, checks=CHECKS)
                except (schemathesis.errors.SchemathesisError, BaseExceptionGroup, AssertionError) as error:
                    wrong.append(f"{told}: {getattr(error, 'exceptions', error)}")
    assert wrong == []


def test_the_whole_description_is_walked() -> None:
    assert len(OPERATIONS) == sum(len(methods) for methods in DOCUMENT["paths"].values())
