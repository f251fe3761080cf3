"""Links that sign a user in once. Root creates them on the host."""

from zcplatform.ids import UserId
from zcplatform.store.db import Tx, scalar


def insert(tx: Tx, link_hash: bytes, user_id: str, at: str, expires_at: str) -> None:
    tx.execute("INSERT INTO login_links (hash, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)", (link_hash, user_id, at, expires_at))


def use(tx: Tx, link_hash: bytes, at: str) -> UserId | None:
    """Use up a link and return its user; None if it was used, has expired or never existed."""
    tx.execute("UPDATE login_links SET used_at = ? WHERE hash = ? AND used_at IS NULL AND expires_at > ?", (at, link_hash, at))
    if tx.changes() != 1:
        return None
    return UserId(str(scalar(tx, "SELECT user_id FROM login_links WHERE hash = ?", link_hash)))


def void_of_user(tx: Tx, user_id: str, at: str) -> None:
    """Void a user's unused links."""
    tx.execute("UPDATE login_links SET expires_at = ? WHERE user_id = ? AND used_at IS NULL AND expires_at > ?", (at, user_id, at))


def delete_before(tx: Tx, at: str) -> None:
    tx.execute("DELETE FROM login_links WHERE expires_at < ?", (at,))
