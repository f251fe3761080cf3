"""Links that sign somebody in once. Root on the host makes them, when there is no mail yet or no more; no route of the API does."""

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
    """The link, shown this once: the database has a keyed hash. The token stands behind a `#`, which browsers send to nobody."""
    token = secrets.token_urlsafe(32)
    expires_at = clock.text(clock.parse(at) + lives)
    login_links.insert(tx, keyed_hashes.keyed_hash(code_mac, keyed_hashes.LINK, token), user.id, at, expires_at)
    audit.append(tx, Entry(at, "host:root", "link.create", user.id, changes={"expires_at": [None, expires_at]}))
    return f"{settings.panel_url}/login#link={token}"


def active_user(tx: Tx, email: str) -> User:
    """Raises NotFound for an address that nobody has, Conflict for somebody who was disabled."""
    user = users.by_email(tx, canonical(email) or "")
    if user is None:
        raise NotFound(
            "user.unknown", f"No user has the address {email[:254]}", "zcplatform admin bootstrap --email ADDRESS creates the first user"
        )
    if not user.is_active:
        raise Conflict("user.disabled", f"{user.email} is disabled", "an administrator can enable this user again")
    return user
