"""Authenticate and authorize requests. Every route names the permission it needs; the caller's permissions are read from the database each time."""

import hashlib
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.dependencies.models import Dependant

from zcplatform import clock
from zcplatform.core.roles import AUDITED_READS, Permission
from zcplatform.errors import BadInput, NotFound, NotSignedIn, Unavailable
from zcplatform.ids import TokenId
from zcplatform.ops import access, tokens
from zcplatform.ops.actor import Actor, Bearer, Needed
from zcplatform.ops.context import Caller as Caller
from zcplatform.ops.context import Context, RetryKey
from zcplatform.web import cookies
from zcplatform.web.rates import Rates

LONGEST_REASON = 200
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}", re.ASCII)
NO_RETRY = RetryKey("", None, b"")


def context_of(request: Request) -> Context:
    return request.app.state.context  # type: ignore[no-any-return]


class Needs:
    """A dependency that returns the caller, or answers 401, 403 or 404. `{tenant}` in the path names the request's tenant."""

    def __init__(self, permission: Permission, *, step_up: bool) -> None:
        self.needed = Needed(permission, step_up)

    async def __call__(self, request: Request) -> Caller:
        return await self.caller(request, NO_RETRY)

    async def caller(self, request: Request, retry: RetryKey) -> Caller:
        context, at = context_of(request), clock.text(clock.now())
        request.state.needed = str(self.needed.permission)
        bearer = await _bearer(request, context)
        request.state.bearer = bearer
        tenant = request.path_params.get("tenant")
        try:
            actor = context.database.read(lambda tx: access.permit(tx, access.identify(tx, bearer, at), self.needed, tenant, at))
        except NotFound:
            request.state.hidden = True
            raise
        _count(request.app.state.rates, actor)
        require_known_parameters(request)
        caller = Caller(context, actor, retry)
        await self._audit_read(request, caller)
        return caller

    async def _audit_read(self, request: Request, caller: Caller) -> None:
        """Require a reason from a super-admin who acts in a tenant. Audited reads are recorded here, changes in the transaction that makes them."""
        is_change = request.method in cookies.MUTATIONS
        is_audited_read = not is_change and self.needed.permission in AUDITED_READS
        if is_audited_read or is_change:
            caller.actor.need_reason()
        if is_audited_read and caller.actor.acts_as_super_admin:
            await access.record_read(caller.context.database, caller.actor, self.needed.permission)


class NeedsToChange(Needs):
    """As Needs, for a route that changes something: a retry with the same Idempotency-Key returns the first response."""

    async def __call__(
        self,
        request: Request,
        idempotency_key: Annotated[
            str | None, Header(max_length=200, description="A random text. A retry with the same key returns the first response.")
        ] = None,
    ) -> Caller:
        if idempotency_key is not None and not (idempotency_key.isascii() and idempotency_key.isprintable() and idempotency_key):
            raise BadInput("idempotency.key", "Idempotency-Key must be 1 to 200 printable ASCII characters", "send a random UUID")
        route = hashlib.sha256(
            f"{request.method} {request.url.path}".encode()
        ).hexdigest()  # a path may hold an address; it is only compared
        return await self.caller(request, RetryKey(route, idempotency_key, await request.body()))


def reads(permission: Permission, *, step_up: bool = False) -> Any:
    """Require a permission: `caller: Annotated[Caller, reads(Permission.TENANT_READ)]`. With `step_up` a code must have been entered within ten minutes."""
    return Depends(Needs(permission, step_up=step_up))


def changes(permission: Permission, *, step_up: bool = False) -> Any:
    """As `reads`, for a route that changes something and whose first response is kept for a retry."""
    return Depends(NeedsToChange(permission, step_up=step_up))


def require_known_parameters(request: Request) -> None:
    """Raises BadInput for a query parameter that the route does not have: a mistyped filter must not return everything."""
    known = frozenset(_query_names(request.scope["route"].dependant))
    unknown = sorted(name for name in request.query_params if name not in known)
    if unknown:
        fields = {name if _NAME.fullmatch(name) else "…": "is not a parameter of this route" for name in unknown[:20]}
        hint = f"parameters: {', '.join(sorted(known))}" if known else "this route has no query parameters"
        raise BadInput("request.unknown_parameter", f"Unknown query parameters: {', '.join(fields)}", hint, fields=fields)


def _query_names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _query_names(inner)


def _count(rates: Rates, actor: Actor) -> None:
    rates.of_account(actor.user_id or actor.id)
    if actor.tenant_id is not None:
        rates.of_tenant(actor.tenant_id)


async def _bearer(request: Request, context: Context) -> Bearer:
    authorization, reason = request.headers.get("authorization"), request.headers.get("x-reason", "")
    bearer = Bearer(address=address_of(request), request_id=secrets.token_hex(8), reason=_line(reason))
    if authorization is None:
        session = await cookies.signed_in(request, context)
        if session is not None:
            return replace(bearer, session_id=session.id)
    return replace(bearer, token_id=await _token(context, authorization or ""))


async def _token(context: Context, authorization: str) -> TokenId:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "bearer" or not value.startswith("zcp_") or len(value) > 200:
        raise NotSignedIn("token.missing", "This needs a bearer token", "zcplatform admin token create --name NAME creates one on the host")
    token = tokens.authenticate(context, value)
    with suppress(Unavailable):  # a read must not fail because the time of use cannot be stored
        await tokens.record_use(context, token)
    return token.id


def address_of(request: Request) -> str:
    """The peer's address as the edge reports it. Only root and the edge can open the socket, and the edge overwrites the header."""
    return request.headers.get("x-forwarded-for", "local")[:64]


def _line(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:LONGEST_REASON].strip()


ContextOf = Annotated[Context, Depends(context_of)]
