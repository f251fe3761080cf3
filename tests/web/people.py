"""People and their browsers, for tests of signing in: cookies are kept, the origin is the panel's, the edge has named the caller's address."""

import json
import secrets
from dataclasses import dataclass
from datetime import timedelta

import httpx2

from tests.web.conftest import AT, Web
from zcplatform import clock
from zcplatform.ids import OutboxId, SessionId, UserId, new_session_id, new_user_id
from zcplatform.store import outbox, sessions, users
from zcplatform.store.sessions import Session
from zcplatform.store.users import User
from zcplatform.vault.opening import open_box
from zcplatform.vault.sealed_mail import binding
from zcplatform.web.cookies import SESSION

CODE = "/api/auth/otp/request"
VERIFY = "/api/auth/otp/verify"


def person(web: Web, email: str, *, is_super_admin: bool = False, disabled_at: str | None = None) -> UserId:
    user_id = new_user_id()
    row = User(user_id, email, "", int(is_super_admin), disabled_at, None, AT)
    web.database.write_now(lambda tx: users.insert(tx, row))
    return user_id


def browser(web: Web, address: str = "198.51.100.1", **headers: str) -> httpx2.AsyncClient:
    """Nobody is signed in with it. The scheme only makes it send cookies that are for TLS."""
    told = {"Origin": web.settings.panel_url, "X-Forwarded-For": address, **headers}
    return httpx2.AsyncClient(transport=web.client._transport, base_url="https://panel.localhost", headers=told)


def messages(web: Web, recipient: str) -> list[tuple[OutboxId, dict[str, str]]]:
    """What waits for somebody, opened as the worker does, oldest first."""
    at = clock.text(clock.now())
    found = [one for one in web.database.read(lambda tx: outbox.due(tx, at, at, 1_000)) if one.recipient == recipient]
    opened = []
    for message in sorted(found, key=lambda one: one.id):
        where = binding(message.id, message.kind, message.recipient, message.expires_at)
        opened.append((message.id, json.loads(open_box(web.keys.seal_private, where, message.box or b""))))
    return opened


def code_of(web: Web, recipient: str) -> str:
    return messages(web, recipient)[-1][1]["code"]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**8:08}"


async def sign_in(web: Web, client: httpx2.AsyncClient, email: str) -> httpx2.Response:
    assert (await client.post(CODE, json={"email": email})).status_code == 202
    answer = await client.post(VERIFY, json={"code": code_of(web, email.lower())})
    assert answer.status_code == 200, answer.text
    return answer


@dataclass
class SignedIn:
    user_id: UserId
    session_id: SessionId
    client: httpx2.AsyncClient


def signed_in(web: Web, user_id: UserId, **changed: object) -> SignedIn:
    """With a session of its own, made without a code."""
    at = clock.text(clock.now())
    facts: dict[str, object] = {
        "id": new_session_id(), "user_id": user_id, "method": "code", "address": "198.51.100.1", "network": "198.51.100.1", "agent": "test",
        "created_at": at, "last_used_at": at, "idle_until": "2999-01-01T00:00:00.000Z",
        "expires_at": clock.text(clock.now() + timedelta(hours=24)), "stepped_up_at": at, **changed,
    }  # fmt: skip
    row = Session(**facts)  # type: ignore[arg-type]
    web.database.write_now(lambda tx: sessions.insert(tx, row))
    client = browser(web)
    client.cookies.set(SESSION, references(web).sign(row))
    return SignedIn(user_id, row.id, client)


def references(web: Web):  # type: ignore[no-untyped-def]
    return web.client._transport.app.state.references  # type: ignore[attr-defined]


def random_email() -> str:
    return f"{secrets.token_hex(4)}@example.com"
