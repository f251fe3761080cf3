"""Authorization, decided from rows in the transaction that does the work. Nothing is cached between requests."""

from dataclasses import replace

from zcplatform import bounded_json, clock
from zcplatform.core.roles import Permission, Role, is_of_tenant, weaker
from zcplatform.core.tenant import Tenant
from zcplatform.errors import Conflict, NotAllowed, NotFound, NotSignedIn
from zcplatform.ids import TenantId, UserId
from zcplatform.ops.actor import Actor, ActorKind, Bearer, Needed
from zcplatform.store import audit, members, sessions, tenants, tokens, users
from zcplatform.store.db import Database, Tx

TOKEN_HINT = "zcplatform admin token create --name NAME creates a new one"  # noqa: S105


def identify(tx: Tx, bearer: Bearer, at: str) -> Actor:
    """Return the actor. Raises NotSignedIn if the token or session has ended, or if the person (or a service account's creator) may no longer act."""
    if bearer.session_id is not None:
        session = sessions.active(tx, bearer.session_id, at)
        if session is None:
            raise NotSignedIn("session.ended", "The session has ended", "sign in again")
        user = _person(tx, session.user_id)
        return Actor(
            id=user.id,
            kind=ActorKind.USER,
            name=user.email,
            bearer=bearer,
            user_id=user.id,
            email=user.email,
            is_super_admin=bool(user.is_super_admin),
            stepped_up_at=session.stepped_up_at,
        )
    token = tokens.get(tx, bearer.token_id) if bearer.token_id is not None else None
    if token is None or token.revoked_at is not None or token.expires_at <= at:
        raise NotSignedIn("token.invalid", "The token is unknown, expired or revoked", TOKEN_HINT)
    actor = Actor(
        id=token.id,
        kind=ActorKind.SERVICE if token.tenant_id is not None else ActorKind.TOKEN,
        name=token.name,
        bearer=bearer,
        is_super_admin=token.tenant_id is None and token.user_id is None and token.role is None,
        cap=Role(token.role) if token.role is not None else Role.OWNER,
        scopes=_scopes(token.scopes),
        service_of=TenantId(token.tenant_id) if token.tenant_id is not None else None,
        maker_user_id=UserId(token.maker_user_id) if token.maker_user_id is not None else None,
    )
    if token.user_id is not None:
        user = _person(tx, token.user_id)
        return replace(actor, user_id=user.id, email=user.email, is_super_admin=bool(user.is_super_admin) and token.role is None)
    tenant = tenants.get(tx, actor.service_of) if actor.service_of is not None else None
    if tenant is not None and (tenant.deleted_at is not None or _role(tx, actor, tenant.id) is None):
        raise NotSignedIn("token.invalid", "The user who created this token may no longer act in its tenant", "create a new token")
    return actor


def permit(tx: Tx, actor: Actor, needed: Needed, tenant: str | None, at: str) -> Actor:
    """Return the actor in this tenant (id or slug). Raises NotFound for a tenant hidden from the actor, NotAllowed for a missing permission.

    A tenant's permission on a route without a tenant is allowed: the route shows only tenants that the actor may see.
    """
    if tenant is not None:
        actor = enter(tx, actor, find(tx, tenant).id, tenant)
    actor = replace(actor, needed=needed)
    if tenant is None and is_of_tenant(needed.permission):
        if actor.scopes is not None and needed.permission not in actor.scopes:
            raise NotAllowed(
                "access.denied", f"The scopes of this token do not include `{needed.permission}`", "create a token whose scopes include it"
            )
    else:
        actor.need(needed.permission)
    if needed.step_up:
        actor.need_step_up(at)
    return actor


def confirm(tx: Tx, actor: Actor, at: str) -> None:
    """Check again, raising what `identify` and `permit` raise. Raises Conflict if the rights have changed meanwhile."""
    if actor.needed is None:
        return
    fresh = permit(tx, identify(tx, actor.bearer, at), actor.needed, actor.tenant_id, at)
    if fresh.rights != actor.rights:
        raise Conflict("access.changed", "Your permissions have just changed; nothing was done", "repeat the request")


async def record_read(database: Database, actor: Actor, permission: Permission) -> None:
    """The audit entry of a super-admin who reads something in a tenant without being a member of it."""
    entry = actor.entry(clock.text(clock.now()), str(permission), actor.tenant_id or "", actor.tenant_id or "")
    await database.write(lambda tx: audit.append(tx, entry))


def find(tx: Tx, id_or_slug: str) -> Tenant:
    tenant = tenants.find(tx, id_or_slug)
    if tenant is None:
        raise _unknown(id_or_slug)
    return tenant


def enter(tx: Tx, actor: Actor, tenant_id: TenantId, as_written: str) -> Actor:
    """With the role in this tenant, which may be deleted. Non-members get the same 404 as for a tenant that never existed."""
    role = _role(tx, actor, tenant_id)
    if role is None and not actor.is_super_admin:
        raise _unknown(as_written)
    return replace(actor, tenant_id=tenant_id, role=role)


def sees(tx: Tx, actor: Actor, tenant_id: TenantId | None, permission: Permission) -> bool:
    """Whether the actor may see objects of this tenant (None: objects of no tenant)."""
    if tenant_id is None:
        return actor.is_super_admin and actor.may(permission)
    role = _role(tx, actor, tenant_id)
    return replace(actor, tenant_id=tenant_id, role=role).may(permission)


def _role(tx: Tx, actor: Actor, tenant_id: TenantId) -> Role | None:
    if actor.service_of is not None:
        return weaker(actor.cap, _makers_role(tx, actor, tenant_id)) if tenant_id == actor.service_of else None
    return weaker(actor.cap, members.role(tx, tenant_id, actor.user_id)) if actor.user_id is not None else None


def _makers_role(tx: Tx, actor: Actor, tenant_id: TenantId) -> Role | None:
    """Return the present role of a service account's creator. Accounts created by root are limited by their own role only."""
    if actor.maker_user_id is None:
        return Role.OWNER
    maker = users.get(tx, actor.maker_user_id)
    if maker is None or not maker.is_active:
        return None
    return Role.OWNER if maker.is_super_admin else members.role(tx, tenant_id, maker.id)


def _person(tx: Tx, user_id: str) -> users.User:
    user = users.get(tx, user_id)
    if user is None or not user.is_active:
        raise NotSignedIn("user.disabled", "This user is disabled", "ask an administrator of this installation")
    return user


def _scopes(text: str | None) -> frozenset[Permission] | None:
    """Permissions of other versions of the program are ignored."""
    known = set(Permission)
    return None if text is None else frozenset(Permission(name) for name in bounded_json.loads(text) if name in known)


def _unknown(id_or_slug: str) -> NotFound:
    return NotFound("tenant.unknown", f"There is no tenant `{id_or_slug[:80]}`", "GET /api/tenants lists them")
