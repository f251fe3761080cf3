"""Ports, uids and subnets held by tenants. A released number stays in quarantine, so that no leftover reaches another tenant."""

from dataclasses import dataclass

from zcplatform.ids import TenantId
from zcplatform.store.db import Tx, scalar


@dataclass(frozen=True)
class Allocation:
    """`subnet` is an index: the n-th /29 of the configured pool."""

    port: int
    uid: int
    subnet: int


def get(tx: Tx, tenant_id: TenantId) -> Allocation | None:
    """Return the tenant's allocation, or None until all three numbers are assigned."""
    held: dict[str, int] = dict(
        tx.execute("SELECT kind, number FROM allocations WHERE tenant_id = ? AND released_at IS NULL", (tenant_id,))
    )
    return Allocation(held["port"], held["uid"], held["subnet"]) if len(held) == 3 else None


def held(tx: Tx, kind: str) -> set[int]:
    """Return all numbers of this kind that tenants hold now."""
    return {int(number) for (number,) in tx.execute("SELECT number FROM allocations WHERE kind = ? AND released_at IS NULL", (kind,))}


def take(tx: Tx, tenant_id: TenantId, kind: str, span: tuple[int, int], at: str, reusable_before: str) -> int | None:
    """Return the tenant's number if it is within the span, else assign the lowest unused one, or one whose quarantine is over. None if there is none."""
    first, last = span
    held = scalar(tx, "SELECT number FROM allocations WHERE tenant_id = ? AND kind = ? AND released_at IS NULL", tenant_id, kind)
    if held is not None and first <= held <= last:
        return int(held)
    if held is not None:
        tx.execute("DELETE FROM allocations WHERE kind = ? AND number = ?", (kind, held))
    number = _lowest_free(tx, kind, span, at, reusable_before)
    if number is not None:
        tx.execute("DELETE FROM allocations WHERE kind = ? AND number = ?", (kind, number))
        tx.execute("INSERT INTO allocations (kind, number, tenant_id) VALUES (?, ?, ?)", (kind, number, tenant_id))
    return number


def _lowest_free(tx: Tx, kind: str, span: tuple[int, int], at: str, reusable_before: str) -> int | None:
    first, last = span
    known = {int(number) for (number,) in tx.execute("SELECT number FROM allocations WHERE kind = ?", (kind,))}
    fresh = next((number for number in range(first, last + 1) if number not in known), None)
    if fresh is not None:
        return fresh
    return scalar(  # type: ignore[no-any-return]
        tx,
        "SELECT min(number) FROM allocations WHERE kind = ? AND number BETWEEN ? AND ?"
        " AND released_at IS NOT NULL AND coalesce(reusable_at <= ?, released_at < ?)",
        kind,
        first,
        last,
        at,
        reusable_before,
    )


def free(tx: Tx, kind: str, span: tuple[int, int], at: str, reusable_before: str) -> int:
    """Return how many numbers of the span are free."""
    first, last = span
    busy = scalar(
        tx,
        "SELECT count(*) FROM allocations WHERE kind = ? AND number BETWEEN ? AND ?"
        " AND (released_at IS NULL OR NOT coalesce(reusable_at <= ?, released_at < ?))",
        kind,
        first,
        last,
        at,
        reusable_before,
    )
    return last - first + 1 - int(busy)


def block(tx: Tx, kind: str, number: int, at: str, until: str) -> None:
    """Block a number that something else on the machine uses: no tenant gets it until `until`."""
    tx.execute(
        "INSERT INTO allocations (kind, number, released_at, reusable_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (kind, number) DO UPDATE SET tenant_id = NULL, released_at = excluded.released_at, reusable_at = excluded.reusable_at",
        (kind, number, at, until),
    )


def release(tx: Tx, tenant_id: TenantId, at: str) -> None:
    """Release a tenant's numbers. Port and uid stay in quarantine; the subnet is free at once, because its network is verified to be gone."""
    tx.execute("DELETE FROM allocations WHERE tenant_id = ? AND kind = 'subnet'", (tenant_id,))
    tx.execute("UPDATE allocations SET released_at = ? WHERE tenant_id = ? AND released_at IS NULL", (at, tenant_id))
