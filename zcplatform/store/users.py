"""Users. `email` is canonical and unique among users who are not deleted."""

from dataclasses import dataclass

from zcplatform.ids import UserId
from zcplatform.store.db import Tx, columns, many, names, one, scalar


@dataclass(frozen=True)
class User:
    id: UserId
    email: str
    name: str
    is_super_admin: int
    disabled_at: str | None
    deleted_at: str | None
    created_at: str

    @property
    def is_active(self) -> bool:
        return self.disabled_at is None and self.deleted_at is None


def insert(tx: Tx, user: User) -> None:
    marks = ", ".join("?" for _ in columns(User))
    tx.execute(f"INSERT INTO users ({names(User)}) VALUES ({marks})", [getattr(user, column) for column in columns(User)])


def get(tx: Tx, user_id: str) -> User | None:
    return one(tx, User, f"SELECT {names(User)} FROM users WHERE id = ? AND deleted_at IS NULL", user_id)


def by_email(tx: Tx, email: str) -> User | None:
    return one(tx, User, f"SELECT {names(User)} FROM users WHERE email = ? AND deleted_at IS NULL", email)


def everything(tx: Tx) -> list[User]:
    return many(tx, User, f"SELECT {names(User)} FROM users WHERE deleted_at IS NULL ORDER BY email")


def other_super_admins(tx: Tx, user_id: str) -> int:
    """Count the other active super-admins."""
    counted = "SELECT count(*) FROM users WHERE is_super_admin = 1 AND disabled_at IS NULL AND deleted_at IS NULL AND id != ?"
    return int(scalar(tx, counted, user_id))


def rename(tx: Tx, user_id: UserId, name: str) -> None:
    tx.execute("UPDATE users SET name = ? WHERE id = ?", (name, user_id))


def readdress(tx: Tx, user_id: UserId, email: str) -> None:
    """Create a user. `email` must be canonical and unused."""
    tx.execute("UPDATE users SET email = ? WHERE id = ?", (email, user_id))


def disable(tx: Tx, user_id: UserId, at: str | None) -> None:
    """Disable a user, or enable them again if `at` is None."""
    tx.execute("UPDATE users SET disabled_at = ? WHERE id = ?", (at, user_id))


def make_super_admin(tx: Tx, user_id: UserId, value: bool) -> None:
    tx.execute("UPDATE users SET is_super_admin = ? WHERE id = ?", (int(value), user_id))
