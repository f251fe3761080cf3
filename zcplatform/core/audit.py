"""The chain of the audit log: each entry's hash covers its fields and the hash before it, so that the file alone can be verified."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

GENESIS = bytes(32)


@dataclass(frozen=True)
class Entry:
    """What was done, by whom, to what. `changes` holds non-secret fields only: {field: [before, after]}."""

    at: str
    actor: str
    action: str
    object: str
    tenant_id: str = ""
    role: str = "system"
    address: str = ""
    outcome: str = "done"
    changes: Mapping[str, Any] = field(default_factory=dict)
    request_id: str = ""


def canonical(value: object) -> str:
    """One spelling for one value: sorted keys, no spaces, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def entry_hash(previous: bytes, entry: Entry) -> bytes:
    """SHA-256 over the previous hash and a canonical JSON list of the fields, in the order of the columns."""
    fields = [
        entry.at,
        entry.actor,
        entry.role,
        entry.address,
        entry.action,
        entry.object,
        entry.tenant_id,
        entry.outcome,
        entry.changes,
        entry.request_id,
    ]
    return hashlib.sha256(previous + canonical(fields).encode()).digest()
