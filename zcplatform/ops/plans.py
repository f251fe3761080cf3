"""What may be asked of plans: an operator edits their numbers. Agents of a plan are started again with new limits by the worker."""

import json
from collections.abc import Mapping
from typing import Any

from zcplatform.errors import BadInput, NotFound
from zcplatform.ops.actor import Actor
from zcplatform.store import audit, plans
from zcplatform.store.db import Tx, require
from zcplatform.store.plans import Plan

LEAST = {
    "memory_bytes": 96 * 1024 * 1024,
    "cpu_millis": 10,
    "pids": 16,
    "disk_bytes": 1024 * 1024,
    "members": 1,
    "agents": 1,
    "actions_per_hour": 1,
}
"""The smallest number that makes sense; 0 where nothing is named."""


def change(tx: Tx, actor: Actor, at: str, name: str, sent: Mapping[str, Any]) -> Plan:
    plan = plans.get(tx, name)
    if plan is None:
        raise NotFound("plan.unknown", f"There is no plan `{name[:40]}`", "GET /api/plans lists them")
    wish = {field: json.dumps(value) if isinstance(value, list) else value for field, value in sent.items()}
    numbers = {field: value for field, value in wish.items() if isinstance(value, int)}
    wrong = {field: f"at least {LEAST.get(field, 0)}" for field, value in numbers.items() if value < LEAST.get(field, 0)}
    if wrong:
        raise BadInput("plan.too_small", f"Plan `{name}` can not have so little: {', '.join(wrong)}", "see `fields`", fields=wrong)
    told = {field: [getattr(plan, field), value] for field, value in wish.items() if getattr(plan, field) != value}
    if told:
        plans.update(tx, name, {field: wish[field] for field in told})
        audit.append(tx, actor.entry(at, "plan.change", name, "", **told))
    return require(plans.get(tx, name))
