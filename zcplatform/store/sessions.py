"""Sessions of people who signed in with a code."""

from dataclasses import dataclass

from zcplatform.ids import UserId
from zcplatform.store.db import Tx


@dataclass(frozen=True)
class Session:
    id: str
    user_id: UserId
    stepped_up_at: str | None


def active(tx: Tx, session_id: str, at: str) -> Session | None:  # noqa: ARG001
    """None when it ended, idled out or expired."""
    return None
