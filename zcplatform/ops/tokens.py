"""Tokens of people and of tenants: shown once, never stronger than who made them, now or later. One of the host's may make a tenant's."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from zcplatform import clock
from zcplatform.core.roles import Permission, Role
from zcplatform.errors import NotFound
from zcplatform.ids import new_token_id
from zcplatform.ops import users as people
from zcplatform.ops.access import find
from zcplatform.ops.actor import Actor
from zcplatform.ops.members import reach
from zcplatform.store import audit, tokens
from zcplatform.store.db import Tx
from zcplatform.store.tokens import Token
from zcplatform.vault.sealing import token_hash

HINT_CHARACTERS = 8


@dataclass(frozen=True)
class Wish:
    """`role` and `scopes` bound what it may do; None leaves that to the rights of whose it is."""

    name: str
    days: int
    role: Role | None
    scopes: frozenset[Permission] | None


def create_own(tx: Tx, pepper: bytes, actor: Actor, at: str, wish: Wish) -> tuple[Token, str]:
    user = people.person(tx, actor)
    token, value = _make(pepper, actor, at, wish, user_id=user.id, tenant_id=None)
    return _keep(tx, actor, at, token), value


def create_of_tenant(tx: Tx, pepper: bytes, actor: Actor, at: str, tenant: str, wish: Wish) -> tuple[Token, str]:
    """A service account. `wish.role` is needed: it has no person whose role it could take."""
    reach(actor, wish.role or Role.VIEWER, at)
    token, value = _make(pepper, actor, at, wish, user_id=None, tenant_id=find(tx, tenant).id)
    return _keep(tx, actor, at, token), value


def revoke_own(tx: Tx, actor: Actor, at: str, token_id: str) -> None:
    token = tokens.get(tx, token_id)
    _revoke(tx, actor, at, token if token is not None and token.user_id == people.person(tx, actor).id else None)


def revoke_of_tenant(tx: Tx, actor: Actor, at: str, tenant: str, token_id: str) -> None:
    token = tokens.get(tx, token_id)
    _revoke(tx, actor, at, token if token is not None and token.tenant_id == find(tx, tenant).id else None)


def _make(pepper: bytes, actor: Actor, at: str, wish: Wish, *, user_id: str | None, tenant_id: str | None) -> tuple[Token, str]:
    value = "zcp_" + secrets.token_urlsafe(32)
    token = Token(
        id=new_token_id(),
        name=wish.name,
        hash=token_hash(pepper, value),
        hint=value[:HINT_CHARACTERS],
        created_at=at,
        expires_at=clock.text(clock.parse(at) + timedelta(days=wish.days)),
        user_id=user_id,
        tenant_id=tenant_id,
        maker_user_id=actor.user_id,
        maker_token_id=actor.token_id,
        role=wish.role or (Role.VIEWER if tenant_id is not None else None),
        scopes=tokens.scopes_text(wish.scopes),
    )
    return token, value


def _keep(tx: Tx, actor: Actor, at: str, token: Token) -> Token:
    tokens.insert(tx, token)
    told = {"name": [None, token.name], "role": [None, token.role], "scopes": [None, token.scopes], "expires_at": [None, token.expires_at]}
    audit.append(tx, actor.entry(at, "token.create", token.id, token.tenant_id or "", **told))
    return token


def _revoke(tx: Tx, actor: Actor, at: str, token: Token | None) -> None:
    if token is None or not tokens.revoke(tx, token.id, at):
        raise NotFound("token.unknown", "There is no such token that is not revoked yet", "list the tokens")
    audit.append(tx, actor.entry(at, "token.revoke", token.id, token.tenant_id or ""))
