"""Members: users in tenants, with a role. Rows of a deleted tenant stay: its last operation is still theirs to see."""

from dataclasses import dataclass

from zcplatform.core.roles import Role
from zcplatform.ids import TenantId, UserId
from zcplatform.store.db import Tx, many, names, one, scalar


@dataclass(frozen=True)
class Member:
    tenant_id: TenantId
    user_id: UserId
    role: str
    created_at: str


@dataclass(frozen=True)
class Person:
    """A member with the public fields of the user."""

    user_id: UserId
    email: str
    name: str
    role: str
    disabled_at: str | None
    created_at: str


def role(tx: Tx, tenant_id: str, user_id: str) -> Role | None:
    found = scalar(tx, "SELECT role FROM members WHERE tenant_id = ? AND user_id = ?", tenant_id, user_id)
    return None if found is None else Role(found)


def get(tx: Tx, tenant_id: str, user_id: str) -> Member | None:
    return one(tx, Member, f"SELECT {names(Member)} FROM members WHERE tenant_id = ? AND user_id = ?", tenant_id, user_id)


def put(tx: Tx, member: Member) -> None:
    tx.execute(
        f"INSERT INTO members ({names(Member)}) VALUES (?, ?, ?, ?) ON CONFLICT (tenant_id, user_id) DO UPDATE SET role = excluded.role",
        (member.tenant_id, member.user_id, member.role, member.created_at),
    )


def remove(tx: Tx, tenant_id: str, user_id: str) -> None:
    tx.execute("DELETE FROM members WHERE tenant_id = ? AND user_id = ?", (tenant_id, user_id))


def people(tx: Tx, tenant_id: str) -> list[Person]:
    return many(
        tx,
        Person,
        "SELECT m.user_id, u.email, u.name, m.role, u.disabled_at, m.created_at FROM members AS m JOIN users AS u ON u.id = m.user_id"
        " WHERE m.tenant_id = ? AND u.deleted_at IS NULL ORDER BY u.email",
        tenant_id,
    )


def count(tx: Tx, tenant_id: str) -> int:
    return int(scalar(tx, "SELECT count(*) FROM members WHERE tenant_id = ?", tenant_id))


def of_user(tx: Tx, user_id: str) -> list[Member]:
    return many(tx, Member, f"SELECT {names(Member)} FROM members WHERE user_id = ? ORDER BY tenant_id", user_id)


def owned_alone(tx: Tx, user_id: str) -> list[str]:
    """Return slugs of the tenants that have no other owner who can sign in."""
    found = tx.execute(
        "SELECT t.slug FROM members AS m JOIN tenants AS t ON t.id = m.tenant_id WHERE m.user_id = ?1 AND m.role = 'owner'"
        " AND t.deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM members AS o JOIN users AS u ON u.id = o.user_id WHERE o.tenant_id = t.id"
        " AND o.user_id != ?1 AND o.role = 'owner' AND u.disabled_at IS NULL AND u.deleted_at IS NULL) ORDER BY t.slug",
        (user_id,),
    )
    return [slug for (slug,) in found]


def other_owners(tx: Tx, tenant_id: str, user_id: str) -> int:
    """Count the other owners who can sign in."""
    return int(
        scalar(
            tx,
            "SELECT count(*) FROM members AS m JOIN users AS u ON u.id = m.user_id WHERE m.tenant_id = ? AND m.user_id != ?"
            " AND m.role = 'owner' AND u.disabled_at IS NULL AND u.deleted_at IS NULL",
            tenant_id,
            user_id,
        )
    )


@dataclass(frozen=True)
class Membership:
    """A tenant with the caller's role in it."""

    id: TenantId
    slug: str
    name: str
    state: str
    role: str


def tenants_of(tx: Tx, user_id: str | None, service_of: str | None, service_role: str) -> list[Membership]:
    """Return the tenants of a user, or the one tenant of a service account with the account's role."""
    return many(
        tx,
        Membership,
        "SELECT t.id, t.slug, t.name, t.state, m.role FROM tenants AS t JOIN members AS m ON m.tenant_id = t.id"
        " WHERE m.user_id = ? AND t.deleted_at IS NULL"
        " UNION ALL SELECT id, slug, name, state, ? FROM tenants WHERE id = ? AND deleted_at IS NULL ORDER BY 2",
        user_id,
        service_role,
        service_of,
    )
