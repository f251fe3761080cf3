"""Links that sign a user in once. Only root creates them, on the host, while mail is not configured or does not work."""

import secrets
from datetime import timedelta

from zcplatform import clock
from zcplatform.core.audit import Entry
from zcplatform.core.mailboxes import canonical
from zcplatform.errors import Conflict, NotFound
from zcplatform.settings import Settings
from zcplatform.store import audit, login_links, users
from zcplatform.store.db import Tx
from zcplatform.store.users import User
from zcplatform.vault import keyed_hashes


def make(tx: Tx, settings: Settings, code_mac: bytes, user: User, at: str, lives: timedelta) -> str:
    """Return the link. It is shown once: the database has only a keyed hash. The token follows a `#`, so browsers do not send it to servers."""
    token = secrets.token_urlsafe(32)
    expires_at = clock.text(clock.parse(at) + lives)
    login_links.insert(tx, keyed_hashes.keyed_hash(code_mac, keyed_hashes.LINK, token), user.id, at, expires_at)
    audit.append(tx, Entry(at, "host:root", "link.create", user.id, changes={"expires_at": [None, expires_at]}))
    return f"{settings.panel_url}/login#link={token}"


def active_user(tx: Tx, email: str) -> User:
    """Create a link. Raises NotFound for an address without a user, Conflict for a disabled user."""
    user = users.by_email(tx, canonical(email) or "")
    if user is None:
        raise NotFound(
            "user.unknown", f"No user has the address {email[:254]}", "zcplatform admin bootstrap --email ADDRESS creates the first user"
        )
    if not user.is_active:
        raise Conflict("user.disabled", f"{user.email} is disabled", "an administrator can enable this user again")
    return user
