"""Invitations of one address to a tenant. At most one is open for each address; the token is stored as a keyed hash."""

from dataclasses import dataclass

from zcplatform.ids import InvitationId, TenantId
from zcplatform.store.db import Tx, columns, many, names, one, scalar


@dataclass(frozen=True)
class Invitation:
    """`inviter` is a name to show. `inviter_user_id` is the user whose role limits the invitation (for a service account, its creator); None means the host."""

    id: InvitationId
    tenant_id: TenantId
    email: str
    role: str
    hash: bytes
    inviter: str
    inviter_user_id: str | None
    created_at: str
    expires_at: str
    accepted_at: str | None = None
    revoked_at: str | None = None


def insert(tx: Tx, row: Invitation) -> None:
    """Create an invitation, replacing an open one for the same address."""
    tx.execute(
        "UPDATE invitations SET revoked_at = ? WHERE tenant_id = ? AND email = ? AND accepted_at IS NULL AND revoked_at IS NULL",
        (row.created_at, row.tenant_id, row.email),
    )
    marks = ", ".join("?" for _ in columns(Invitation))
    tx.execute(f"INSERT INTO invitations ({names(Invitation)}) VALUES ({marks})", [getattr(row, column) for column in columns(Invitation)])


def address(tx: Tx, invitation_id: str) -> str | None:
    """Return the invited address, or None if that user was deleted."""
    found = scalar(tx, "SELECT email FROM invitations WHERE id = ? AND instr(email, '@')", invitation_id)
    return None if found is None else str(found)


def open_by_hash(tx: Tx, token_hash: bytes, at: str) -> Invitation | None:
    statement = (
        f"SELECT {names(Invitation)} FROM invitations WHERE hash = ? AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ?"
    )
    return one(tx, Invitation, statement, token_hash, at)


def open_of_tenant(tx: Tx, tenant_id: str, at: str) -> list[Invitation]:
    return many(
        tx,
        Invitation,
        f"SELECT {names(Invitation)} FROM invitations WHERE tenant_id = ? AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > ?"
        " ORDER BY email",
        tenant_id,
        at,
    )


def count_of_others(tx: Tx, tenant_id: str, email: str, at: str) -> int:
    """Count the tenant's open invitations for other addresses."""
    return int(
        scalar(
            tx,
            "SELECT count(*) FROM invitations WHERE tenant_id = ? AND email != ? AND accepted_at IS NULL AND revoked_at IS NULL"
            " AND expires_at > ?",
            tenant_id,
            email,
            at,
        )
    )


def count_since(tx: Tx, tenant_id: str, email: str, at: str) -> tuple[int, int]:
    """Count invitations created since then: by this tenant, and by all tenants for this address. Those accepted or revoked count too."""
    of_tenant = scalar(tx, "SELECT count(*) FROM invitations WHERE tenant_id = ? AND created_at > ?", tenant_id, at)
    return int(of_tenant), int(scalar(tx, "SELECT count(*) FROM invitations WHERE email = ? AND created_at > ?", email, at))


def accept(tx: Tx, invitation_id: InvitationId, at: str) -> None:
    tx.execute("UPDATE invitations SET accepted_at = ? WHERE id = ?", (at, invitation_id))


def revoke(tx: Tx, tenant_id: str, invitation_id: str, at: str) -> bool:
    """Revoke an open invitation. False if the tenant has no such one."""
    tx.execute(
        "UPDATE invitations SET revoked_at = ? WHERE id = ? AND tenant_id = ? AND accepted_at IS NULL AND revoked_at IS NULL",
        (at, invitation_id, tenant_id),
    )
    return tx.changes() == 1
