"""Ports, uids and subnets: who has which. A released number stays reserved, so that nothing left behind ever meets another tenant."""

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
    """None until all three are there."""
    held: dict[str, int] = dict(
        tx.execute("SELECT kind, number FROM allocations WHERE tenant_id = ? AND released_at IS NULL", (tenant_id,))
    )
    return Allocation(held["port"], held["uid"], held["subnet"]) if len(held) == 3 else None


def held(tx: Tx, kind: str) -> set[int]:
    """All numbers that some tenant has now."""
    return {int(number) for (number,) in tx.execute("SELECT number FROM allocations WHERE kind = ? AND released_at IS NULL", (kind,))}


def take(tx: Tx, tenant_id: TenantId, kind: str, span: tuple[int, int], at: str, reusable_before: str) -> int | None:
    """The number the tenant has in the span, else the lowest free one; None when all are in use or reserved."""
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
    """How many numbers of the span could be given now."""
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
    """Something else on the machine uses it: no tenant gets it until then."""
    tx.execute(
        "INSERT INTO allocations (kind, number, released_at, reusable_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (kind, number) DO UPDATE SET tenant_id = NULL, released_at = excluded.released_at, reusable_at = excluded.reusable_at",
        (kind, number, at, until),
    )


def release(tx: Tx, tenant_id: TenantId, at: str) -> None:
    """Port and uid stay reserved for a while; a subnet is free at once, its network is proven to be gone."""
    tx.execute("DELETE FROM allocations WHERE tenant_id = ? AND kind = 'subnet'", (tenant_id,))
    tx.execute("UPDATE allocations SET released_at = ? WHERE tenant_id = ? AND released_at IS NULL", (at, tenant_id))
