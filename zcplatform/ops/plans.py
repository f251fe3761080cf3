"""Change a plan's numbers. The worker applies them: agents of the plan whose container limits changed are restarted."""

import json
from collections.abc import Mapping
from typing import Any

from zcplatform.errors import BadInput, NotFound
from zcplatform.ops.context import Call
from zcplatform.ops.host_capacity import excess, of_this_host
from zcplatform.store import plans, tenants
from zcplatform.store.db import require
from zcplatform.store.plans import Plan

_MIB = 1024 * 1024
_CENT_MICROS = 10_000
BOUNDS: Mapping[str, tuple[int, int]] = {
    "memory_bytes": (96 * _MIB, 1024 * 1024 * _MIB),
    "cpu_millis": (10, 256_000),
    "pids": (16, 32_768),
    "disk_bytes": (_MIB, 1024 * 1024 * 1024 * _MIB),
    "channels": (0, 50),
    "members": (1, 10_000),
    "agents": (1, 1_000),
    "messages_day": (0, 1_000_000_000),
    "tokens_month": (0, 1_000_000_000_000),
    "dollars_month_micros": (0, 1_000_000_000_000),
    "actions_per_hour": (1, 1_000_000),
}
"""Minimum and maximum of each limit. Every plan within them can be applied to an agent and its container."""


def list_plans(call: Call) -> list[Plan]:
    return plans.everything(call.tx)


def change(call: Call, name: str, sent: Mapping[str, Any]) -> Plan:
    """Change limits. Raises BadInput naming each one that is out of bounds or above what this host has; then nothing is stored."""
    plan = plans.get(call.tx, name)
    if plan is None:
        raise NotFound("plan.unknown", f"There is no plan `{name[:40]}`", "GET /api/plans lists them")
    wanted = {field: json.dumps(value) if isinstance(value, list) else value for field, value in sent.items()}
    wrong = _out_of_bounds(wanted) | excess(wanted, of_this_host())
    if wrong:
        field, why = next(iter(wrong.items()))
        raise BadInput("plan.out_of_bounds", f"Plan `{name}` cannot have this `{field}`: it {why}", "see `fields`", fields=wrong)
    changes = {field: [getattr(plan, field), value] for field, value in wanted.items() if getattr(plan, field) != value}
    if changes:
        plans.update(call.tx, name, {field: wanted[field] for field in changes})
        call.record("plan.change", name, "", **changes)
        tenants.end_waits(call.tx, name, call.at)
    return require(plans.get(call.tx, name))


def _out_of_bounds(wanted: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for field, (least, most) in BOUNDS.items():
        value = wanted.get(field)
        if value is not None and not least <= value <= most:
            found[field] = f"must be from {least} to {most}"
    dollars = wanted.get("dollars_month_micros", 0)
    if "dollars_month_micros" not in found and dollars % _CENT_MICROS:
        found["dollars_month_micros"] = "must be a whole number of cents (10000 micro-dollars each); 0 is no limit"
    return found
