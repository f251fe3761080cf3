"""/api/me/tokens and /api/tenants/{tenant}/tokens: tokens of people, and service accounts of tenants."""

import json
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response

from zcplatform.core.roles import Permission, Role
from zcplatform.ops import context as ops
from zcplatform.ops import tokens as asking
from zcplatform.ops import users as people
from zcplatform.ops.access import find
from zcplatform.ops.context import Actor, Answer
from zcplatform.store import tokens as rows
from zcplatform.store.db import Tx
from zcplatform.web import people_shapes as shapes
from zcplatform.web.actor import ContextOf, RetryKeyOf, needs
from zcplatform.web.tenants import as_json

router = APIRouter(tags=["tokens"])
Own = Annotated[Actor, needs(Permission.SELF_MANAGE)]
Managing = Annotated[Actor, needs(Permission.TOKEN_MANAGE)]


def _shape(row: rows.Token) -> shapes.Token:
    return shapes.Token(
        id=row.id,
        name=row.name,
        hint=row.hint,
        role=Role(row.role) if row.role is not None else None,
        scopes=json.loads(row.scopes) if row.scopes is not None else None,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )


def _wish(sent: shapes.TokenInput) -> asking.Wish:
    return asking.Wish(sent.name, sent.days, sent.role, frozenset(sent.scopes) if sent.scopes is not None else None)


def _made(token: rows.Token, value: str) -> Answer:
    return Answer(201, shapes.TokenMade(**_shape(token).model_dump(), token=value).model_dump_json(), is_credential=True)


@router.get("/api/me/tokens", response_model=shapes.Tokens)
async def own(context: ContextOf, actor: Own) -> shapes.Tokens:
    return shapes.Tokens(items=[_shape(row) for row in context.database.read(lambda tx: rows.of_user(tx, people.person(tx, actor).id))])


@router.post("/api/me/tokens", response_model=shapes.TokenMade, status_code=201)
async def create_own(
    sent: shapes.TokenInput,
    request: Request,
    context: ContextOf,
    actor: Annotated[Actor, needs(Permission.SELF_MANAGE, step_up=True)],
    retry: RetryKeyOf,
) -> Response:
    pepper: bytes = request.app.state.pepper
    return as_json(await ops.change(context, actor, retry, lambda tx, at: _made(*asking.create_own(tx, pepper, actor, at, _wish(sent)))))


@router.delete("/api/me/tokens/{token}", status_code=204)
async def revoke_own(token: str, context: ContextOf, actor: Own, retry: RetryKeyOf) -> Response:
    def act(tx: Tx, at: str) -> Answer:
        asking.revoke_own(tx, actor, at, token)
        return Answer(204, "")

    return Response(status_code=(await ops.change(context, actor, retry, act)).status)


@router.get("/api/tenants/{tenant}/tokens", response_model=shapes.Tokens)
async def of_tenant(tenant: str, context: ContextOf, _: Managing) -> shapes.Tokens:
    return shapes.Tokens(items=[_shape(row) for row in context.database.read(lambda tx: rows.of_tenant(tx, find(tx, tenant).id))])


@router.post("/api/tenants/{tenant}/tokens", response_model=shapes.TokenMade, status_code=201)
async def create_of_tenant(
    tenant: str,
    sent: shapes.ServiceTokenInput,
    request: Request,
    context: ContextOf,
    actor: Annotated[Actor, needs(Permission.TOKEN_MANAGE, step_up=True)],
    retry: RetryKeyOf,
) -> Response:
    """A service account: it may do what its role may in this tenant, as long as who made it may."""
    pepper: bytes = request.app.state.pepper

    def act(tx: Tx, at: str) -> Answer:
        return _made(*asking.create_of_tenant(tx, pepper, actor, at, tenant, _wish(sent)))

    return as_json(await ops.change(context, actor, retry, act))


@router.delete("/api/tenants/{tenant}/tokens/{token}", status_code=204)
async def revoke_of_tenant(tenant: str, token: str, context: ContextOf, actor: Managing, retry: RetryKeyOf) -> Response:
    def act(tx: Tx, at: str) -> Answer:
        asking.revoke_of_tenant(tx, actor, at, tenant, token)
        return Answer(204, "")

    return Response(status_code=(await ops.change(context, actor, retry, act)).status)
