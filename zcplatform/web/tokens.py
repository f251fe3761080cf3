"""/api/me/tokens and /api/tenants/{tenant}/tokens: tokens of people, and service accounts of tenants."""

from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from zcplatform.core.roles import Permission
from zcplatform.ops import tokens
from zcplatform.ops.tokens import CreatedToken, NewToken, TokenView
from zcplatform.web import people_shapes as shapes
from zcplatform.web import render
from zcplatform.web.caller import Caller, changes, reads
from zcplatform.web.lists import ListQuery, ListQueryOf, page

router = APIRouter(tags=["tokens"])


def _token(view: TokenView) -> shapes.Token:
    return shapes.Token(**view.__dict__)


def _tokens(views: list[TokenView], query: ListQuery) -> shapes.Tokens:
    keys = {name: attrgetter(name) for name in ("created_at", "name", "expires_at")}
    found = page(views, query, keys, attrgetter("id"))
    return shapes.Tokens(items=[_token(view) for view in found.items], next_cursor=found.next_cursor, total=found.total)


def _new(sent: shapes.TokenInput) -> NewToken:
    return NewToken(sent.name, sent.days, sent.role, frozenset(sent.scopes) if sent.scopes is not None else None)


def _created(created: CreatedToken) -> Response:
    return render.respond(shapes.CreatedToken(**created.token.__dict__, token=created.value), 201)


@router.get("/api/me/tokens", operation_id="listMyTokens", summary="List your tokens", response_model=shapes.Tokens)
async def list_own(caller: Annotated[Caller, reads(Permission.SELF_MANAGE)], query: ListQueryOf) -> shapes.Tokens:
    """Also those that are revoked or expired. Sort by created_at (the default), name or expires_at. Tokens are never shown again."""
    return _tokens(caller.read(tokens.list_own), query)


@router.post("/api/me/tokens", operation_id="createMyToken", summary="Create a token", response_model=shapes.CreatedToken, status_code=201)
async def create_own(sent: shapes.TokenInput, caller: Annotated[Caller, changes(Permission.SELF_MANAGE, step_up=True)]) -> Response:
    """It can do what you can do, within its role and scopes. It is shown only once."""
    return _created(await caller.change(lambda call: tokens.create_own(call, _new(sent))))


@router.delete("/api/me/tokens/{token}", operation_id="revokeMyToken", summary="Revoke a token", status_code=204, response_class=Response)
async def revoke_own(token: str, caller: Annotated[Caller, changes(Permission.SELF_MANAGE)]) -> None:
    """The next request with it is rejected, and so are requests with tokens that it created."""
    await caller.change(lambda call: tokens.revoke_own(call, token))


@router.get("/api/tenants/{tenant}/tokens", operation_id="listTokens", summary="List service accounts", response_model=shapes.Tokens)
async def list_of_tenant(tenant: str, caller: Annotated[Caller, reads(Permission.TOKEN_MANAGE)], query: ListQueryOf) -> shapes.Tokens:
    """Also those that are revoked or expired. Sort by created_at (the default), name or expires_at."""
    return _tokens(caller.read(lambda call: tokens.list_of_tenant(call, tenant)), query)


@router.post(
    "/api/tenants/{tenant}/tokens",
    operation_id="createToken",
    summary="Create a service account",
    response_model=shapes.CreatedToken,
    status_code=201,
)
async def create_of_tenant(
    tenant: str, sent: shapes.ServiceTokenInput, caller: Annotated[Caller, changes(Permission.TOKEN_MANAGE, step_up=True)]
) -> Response:
    """A token for programs. It can do what its role can do in this tenant, as long as the user who created it can. It is shown only once."""
    return _created(await caller.change(lambda call: tokens.create_of_tenant(call, tenant, _new(sent))))


@router.delete(
    "/api/tenants/{tenant}/tokens/{token}",
    operation_id="revokeToken",
    summary="Revoke a service account",
    status_code=204,
    response_class=Response,
)
async def revoke_of_tenant(tenant: str, token: str, caller: Annotated[Caller, changes(Permission.TOKEN_MANAGE)]) -> None:
    """The next request with it is rejected, and so are requests with tokens that it created."""
    await caller.change(lambda call: tokens.revoke_of_tenant(call, tenant, token))
