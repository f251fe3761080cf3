"""Tokens of users and service accounts of tenants. A token is shown once and can never do more than its creator can at that time."""

import json
import secrets
from dataclasses import dataclass
from datetime import timedelta

from zcplatform import clock
from zcplatform.core.roles import Permission, Role
from zcplatform.errors import NotFound, NotSignedIn
from zcplatform.ids import new_token_id
from zcplatform.ops import access
from zcplatform.ops import users as people
from zcplatform.ops.context import Call, Context, Outcome
from zcplatform.ops.members import require_reach
from zcplatform.store import tokens
from zcplatform.store.tokens import Token
from zcplatform.vault.sealing import token_hash

HINT_CHARACTERS = 8
USED_EVERY = timedelta(minutes=1)
"""Resolution of the time of last use."""


@dataclass(frozen=True)
class NewToken:
    """`role` and `scopes` limit the token; None leaves that to the rights of its owner."""

    name: str
    days: int
    role: Role | None
    scopes: frozenset[Permission] | None


@dataclass(frozen=True)
class TokenView:
    """`hint` is how the token begins."""

    id: str
    name: str
    hint: str
    role: Role | None
    scopes: list[Permission] | None
    created_at: str
    expires_at: str
    last_used_at: str | None
    revoked_at: str | None


@dataclass(frozen=True)
class CreatedToken:
    token: TokenView
    value: str


def authenticate(context: Context, value: str) -> Token:
    """Return the token with this value. Raises NotSignedIn."""
    digest = token_hash(context.token_pepper, value)
    token = context.database.read(lambda tx: tokens.by_hash(tx, digest))
    if token is None or token.revoked_at is not None:
        raise NotSignedIn("token.invalid", "The token is unknown, expired or revoked", access.TOKEN_HINT)
    return token


async def record_use(context: Context, token: Token) -> None:
    """Store when it was last used, at most once a minute. No audit entry: it is not a change."""
    now = clock.now()
    if token.last_used_at is None or token.last_used_at < clock.text(now - USED_EVERY):
        await context.database.write(lambda tx: tokens.used(tx, token.id, clock.text(now)))


def list_own(call: Call) -> list[TokenView]:
    return [_view(row) for row in tokens.of_user(call.tx, people.person(call).id)]


def list_of_tenant(call: Call, tenant: str) -> list[TokenView]:
    return [_view(row) for row in tokens.of_tenant(call.tx, access.find(call.tx, tenant).id)]


def create_own(call: Call, new: NewToken) -> Outcome[CreatedToken]:
    return _create(call, new, user_id=people.person(call).id, tenant_id=None)


def create_of_tenant(call: Call, tenant: str, new: NewToken) -> Outcome[CreatedToken]:
    """Create a service account. It belongs to no user, so `new.role` decides what it may do."""
    call = require_reach(call, new.role or Role.VIEWER)
    return _create(call, new, user_id=None, tenant_id=access.find(call.tx, tenant).id)


def revoke_own(call: Call, token_id: str) -> Outcome[None]:
    token = tokens.get(call.tx, token_id)
    return _revoke(call, token if token is not None and token.user_id == people.person(call).id else None)


def revoke_of_tenant(call: Call, tenant: str, token_id: str) -> Outcome[None]:
    token = tokens.get(call.tx, token_id)
    return _revoke(call, token if token is not None and token.tenant_id == access.find(call.tx, tenant).id else None)


def _create(call: Call, new: NewToken, *, user_id: str | None, tenant_id: str | None) -> Outcome[CreatedToken]:
    value = "zcp_" + secrets.token_urlsafe(32)
    token = Token(
        id=new_token_id(),
        name=new.name,
        hash=token_hash(call.context.token_pepper, value),
        hint=value[:HINT_CHARACTERS],
        created_at=call.at,
        expires_at=clock.text(clock.parse(call.at) + timedelta(days=new.days)),
        user_id=user_id,
        tenant_id=tenant_id,
        maker_user_id=call.actor.user_id,
        maker_token_id=call.actor.token_id,
        role=new.role or (Role.VIEWER if tenant_id is not None else None),
        scopes=tokens.scopes_text(new.scopes),
    )
    tokens.insert(call.tx, token)
    changes = {field: [None, getattr(token, field)] for field in ("name", "role", "scopes", "expires_at")}
    call.record("token.create", token.id, tenant_id or "", **changes)
    return Outcome(CreatedToken(_view(token), value), is_credential=True)


def _revoke(call: Call, token: Token | None) -> Outcome[None]:
    if token is None or not tokens.revoke(call.tx, token.id, call.at):
        raise NotFound("token.unknown", "There is no such token, or it was revoked before", "list the tokens to see which can be revoked")
    call.record("token.revoke", token.id, token.tenant_id or "")
    return Outcome(None)


def _view(row: Token) -> TokenView:
    known = set(Permission)
    return TokenView(
        id=row.id,
        name=row.name,
        hint=row.hint,
        role=Role(row.role) if row.role is not None else None,
        scopes=[Permission(name) for name in json.loads(row.scopes) if name in known] if row.scopes is not None else None,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
