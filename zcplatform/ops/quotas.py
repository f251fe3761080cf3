"""Quotas of a plan for things a tenant has many of, checked in the transaction that adds one."""

from zcplatform.core.tenant import Tenant
from zcplatform.errors import OverQuota
from zcplatform.store import plans
from zcplatform.store.db import Tx, require

COUNTED = ("channels", "members", "agents")


def require_room(tx: Tx, tenant: Tenant, what: str, wanted: int) -> None:
    """Raises OverQuota if the tenant would have more of `what` (one of COUNTED) than its plan allows. `wanted` is the new total."""
    most = {kind: getattr(require(plans.get(tx, tenant.plan)), kind) for kind in COUNTED}[what]
    if wanted > most:
        raise OverQuota(
            f"plan.{what}",
            f"Tenant `{tenant.slug}` would have {wanted} {what}; its plan `{tenant.plan}` allows {most}",
            "remove some, or ask the operator for a larger plan",
        )
