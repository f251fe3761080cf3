"""What the API's own description promises, asked with what a machine makes of it: never a server error, never an answer that is not described.

The same examples each time. Each is asked by everybody: the answers differ, the promise does not.
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
from zcplatform.web.app import described

from .conftest import Web

EXAMPLES = 3
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
NEVER = ("internal.error", "audit.forgotten", "audit.unwritable", "database.busy")
STREAMS = "text/event-stream"
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


@pytest.mark.parametrize("part", range(4))
async def test_no_request_gets_what_is_not_described(web: Web, part: int) -> None:
    web.client._transport.app.state.watcher.stopped.set()  # type: ignore[attr-defined]  # streams end at once
    web.image()
    wrong: list[str] = []
    for operation in OPERATIONS[part::4]:
        for number, case in enumerate(_asked(operation)):
            standing = [*Role, "super-admin", "stranger"][number % 6]
            await web.client.post("/api/tenants", json={"slug": "shop"})
            sent = case.as_transport_kwargs()
            sent.pop("cookies")
            sent["content"] = sent.pop("data", None)
            headers = {name: value for name, value in sent.pop("headers").items() if name.lower() not in ("authorization", "host")}
            if standing == "stranger":
                headers["Authorization"] = ""
            elif standing != "super-admin":
                headers |= web.member("shop", f"{standing}@example.com", standing)
            answer = await web.client.request(**sent, headers=headers)
            told = f"{standing}: {operation.label} {sent} -> {answer.status_code} {answer.text[:300]}"
            if answer.status_code >= 500 and (answer.status_code != 503 or answer.json().get("code") in NEVER):
                wrong.append(told)
            try:
                case.validate_response(answer, checks=CHECKS)
            except (schemathesis.errors.SchemathesisError, BaseExceptionGroup, AssertionError) as error:
                wrong.append(f"{told}: {getattr(error, 'exceptions', error)}")
    assert wrong == []


def test_the_whole_description_is_walked() -> None:
    assert len(OPERATIONS) == sum(len(methods) for methods in DOCUMENT["paths"].values())
