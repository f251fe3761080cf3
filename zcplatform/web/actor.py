"""Who asks: a bearer token, looked up in the database on every request."""

import secrets
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Header, Request

from zcplatform import clock
from zcplatform.errors import BadInput, NotSignedIn
from zcplatform.ops.desk import Actor, Asked, Desk
from zcplatform.store import tokens
from zcplatform.store.db import Tx
from zcplatform.vault.sealing import token_hash

USED_EVERY = timedelta(minutes=1)


def desk_of(request: Request) -> Desk:
    return request.app.state.desk  # type: ignore[no-any-return]


async def actor_of(
    request: Request, desk: Annotated[Desk, Depends(desk_of)], authorization: Annotated[str | None, Header(include_in_schema=False)] = None
) -> Actor:
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not value.startswith("zcp_") or len(value) > 200:
        raise NotSignedIn("token.missing", "This needs a bearer token", "zcplatform admin token create --name NAME makes one on the host")
    digest = token_hash(request.app.state.pepper, value)
    now = clock.now()
    at = clock.text(now)
    token = desk.database.read(lambda tx: tokens.by_hash(tx, digest))
    if token is None or token.revoked_at is not None or token.expires_at <= at:
        raise NotSignedIn(
            "token.invalid", "The token is unknown, expired or revoked", "zcplatform admin token create --name NAME makes a new one"
        )
    if token.last_used_at is None or token.last_used_at < clock.text(now - USED_EVERY):

        def mark(tx: Tx) -> None:
            tokens.used(tx, token.id, at)

        await desk.database.write(mark)
    return Actor(token.id, token.name, "super-admin", _address(request), secrets.token_hex(8))


def _address(request: Request) -> str:
    """The peer as the edge wrote it; the socket is open to root and the edge only, and the edge overwrites the header."""
    return request.headers.get("x-forwarded-for", "local")[:64]


async def asked_of(request: Request, idempotency_key: Annotated[str | None, Header(max_length=200)] = None) -> Asked:
    if idempotency_key is not None and not (idempotency_key.isascii() and idempotency_key.isprintable() and idempotency_key):
        raise BadInput("idempotency.key", "Idempotency-Key must be 1 to 200 printable ASCII characters", "send a random UUID")
    return Asked(f"{request.method} {request.url.path}", idempotency_key, await request.body())


DeskOf = Annotated[Desk, Depends(desk_of)]
ActorOf = Annotated[Actor, Depends(actor_of)]
AskedOf = Annotated[Asked, Depends(asked_of)]
