"""Who asks and whether he may: every route names the permission it needs, and it is read from the database on every request."""

import hashlib
import secrets
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, Header, Request

from zcplatform import clock
from zcplatform.core.roles import AUDITED_READS, Permission
from zcplatform.errors import BadInput, NotFound, NotSignedIn, Unavailable
from zcplatform.ids import TokenId
from zcplatform.ops import access
from zcplatform.ops.actor import Bearer, Needed
from zcplatform.ops.context import Actor, Context, RetryKey
from zcplatform.store import audit, tokens
from zcplatform.store.db import Tx
from zcplatform.vault.sealing import token_hash
from zcplatform.web import cookies
from zcplatform.web.rates import Rates

USED_EVERY = timedelta(minutes=1)
LONGEST_REASON = 200


def context_of(request: Request) -> Context:
    return request.app.state.context  # type: ignore[no-any-return]


class Needs:
    """A dependency that gives the actor, or answers 401, 403 or 404. The tenant at hand is the one that `{tenant}` of the path names."""

    def __init__(self, permission: Permission, *, step_up: bool) -> None:
        self.needed = Needed(permission, step_up)

    async def __call__(self, request: Request) -> Actor:
        context = context_of(request)
        request.state.needed = str(self.needed.permission)
        bearer = await _bearer(request, context)
        request.state.asker = bearer
        at = clock.text(clock.now())
        tenant = request.path_params.get("tenant")

        def permitted(tx: Tx) -> Actor:
            return access.permit(tx, access.identify(tx, bearer, at), self.needed, tenant, at)

        try:
            actor = context.database.read(permitted)
        except NotFound:
            request.state.hidden = True
            raise
        rates: Rates = request.app.state.rates
        rates.of_account(actor.user_id or actor.id)
        if actor.tenant_id is not None:
            rates.of_tenant(actor.tenant_id)
        is_change = request.method in cookies.MUTATIONS
        is_looked_at = not is_change and self.needed.permission in AUDITED_READS
        if is_looked_at or is_change:
            actor.need_reason()
        if actor.acts_as_super_admin and is_looked_at:
            entry = actor.entry(at, str(self.needed.permission), actor.tenant_id or "", actor.tenant_id or "")
            await context.database.write(lambda tx: audit.append(tx, entry))
        return actor


def needs(permission: Permission, *, step_up: bool = False) -> Any:
    """`actor: Annotated[Actor, needs(Permission.TENANT_DEPLOY)]`. With `step_up` a person must have given a code within ten minutes."""
    return Depends(Needs(permission, step_up=step_up))


async def _bearer(request: Request, context: Context) -> Bearer:
    authorization, reason = request.headers.get("authorization"), request.headers.get("x-reason", "")
    told = Bearer(address=address_of(request), request_id=secrets.token_hex(8), reason=_line(reason))
    if authorization is None:
        session = await cookies.signed_in(request, context)
        if session is not None:
            return replace(told, session_id=session.id)
    return replace(told, token_id=await _token(request, context, authorization or ""))


async def _token(request: Request, context: Context, authorization: str) -> TokenId:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "bearer" or not value.startswith("zcp_") or len(value) > 200:
        raise NotSignedIn("token.missing", "This needs a bearer token", "zcplatform admin token create --name NAME makes one on the host")
    digest = token_hash(request.app.state.pepper, value)
    now = clock.now()
    token = context.database.read(lambda tx: tokens.by_hash(tx, digest))
    if token is None or token.revoked_at is not None:
        raise NotSignedIn("token.invalid", "The token is unknown, expired or revoked", access.TOKEN_HINT)
    if token.last_used_at is None or token.last_used_at < clock.text(now - USED_EVERY):
        with suppress(Unavailable):  # nobody is kept from reading because that can not be noted now
            await context.database.write(lambda tx: tokens.used(tx, token.id, clock.text(now)))
    return token.id


def address_of(request: Request) -> str:
    """The peer as the edge wrote it; the socket is open to root and the edge only, and the edge overwrites the header."""
    return request.headers.get("x-forwarded-for", "local")[:64]


def _line(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:LONGEST_REASON].strip()


async def retry_key_of(request: Request, idempotency_key: Annotated[str | None, Header(max_length=200)] = None) -> RetryKey:
    if idempotency_key is not None and not (idempotency_key.isascii() and idempotency_key.isprintable() and idempotency_key):
        raise BadInput("idempotency.key", "Idempotency-Key must be 1 to 200 printable ASCII characters", "send a random UUID")
    route = hashlib.sha256(f"{request.method} {request.url.path}".encode()).hexdigest()  # a path may hold an address, and is only compared
    return RetryKey(route, idempotency_key, await request.body())


ContextOf = Annotated[Context, Depends(context_of)]
RetryKeyOf = Annotated[RetryKey, Depends(retry_key_of)]
