"""The JSON of the audit log."""

from typing import Any

from pydantic import BaseModel


class AuditEntry(BaseModel):
    """What was done, by whom, to what. `changes` holds non-secret fields: `{field: [before, after]}`."""

    sequence: int
    at: str
    actor: str
    role: str
    address: str
    action: str
    object: str
    tenant_id: str
    outcome: str
    changes: dict[str, Any]
    request_id: str
    hash: str
    people: dict[str, str]
    """The present addresses of users and invitations that the entry names. The hash does not cover them."""


class AuditEntries(BaseModel):
    items: list[AuditEntry]
    next_cursor: str | None
