"""The web application on a real database, asked in-process; there is no worker, as when it is down."""

import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from zcplatform.ids import new_image_id, new_token_id
from zcplatform.ops import users as people
from zcplatform.settings import Settings
from zcplatform.store import members, tenants, tokens, users
from zcplatform.store.db import Database, Tx, require
from zcplatform.store.images import Image, insert, ready
from zcplatform.vault.keys import Keys
from zcplatform.vault.sealing import token_hash
from zcplatform.web.app import Handed, described, furnish

AT = "2026-01-01T00:00:00.000Z"
LATER = "2999-01-01T00:00:00.000Z"
ROUTES = described()
"""One for all tests: to work its routes out takes longer than most of them."""


@dataclass
class Web:
    """`client` sends a good token."""

    client: httpx2.AsyncClient
    database: Database
    settings: Settings
    keys: Keys

    def token(self, expires_at: str = LATER, revoked_at: str | None = None) -> str:
        value = "zcp_" + secrets.token_urlsafe(32)
        row = tokens.Token(
            new_token_id(), "test", token_hash(self.keys.token_pepper, value), value[:8], AT, expires_at, revoked_at=revoked_at
        )
        self.database.write_now(lambda tx: tokens.insert(tx, row))
        return value

    def user(self, email: str, *, is_super_admin: bool = False) -> str:
        return self.database.write_now(lambda tx: people.add(tx, email, "", AT, is_super_admin=is_super_admin)).id

    def user_of(self, email: str) -> str:
        return require(self.database.read(lambda tx: users.by_email(tx, email))).id

    def token_of(self, user_id: str) -> str:
        """A token of this person, without limits of its own."""
        value = "zcp_" + secrets.token_urlsafe(32)
        hashed = token_hash(self.keys.token_pepper, value)
        row = tokens.Token(new_token_id(), "own", hashed, value[:8], AT, LATER, user_id=user_id, maker_user_id=user_id)
        self.database.write_now(lambda tx: tokens.insert(tx, row))
        return value

    def member(self, slug: str, email: str, role: str) -> dict[str, str]:
        """A member with this role, who may be there already; the headers that act as them."""

        def write(tx: Tx) -> str:
            user = users.by_email(tx, email) or people.add(tx, email, "", AT)
            members.put(tx, members.Member(require(tenants.find(tx, slug)).id, user.id, role, AT))
            return user.id

        return {"Authorization": f"Bearer {self.token_of(self.database.write_now(write))}"}

    def image(self, reference: str = "zc-demo-agent:latest") -> str:
        row = Image(new_image_id(), "demo", reference, "present", "preparing", None, None, None, None, 0, 0, None, AT, AT)
        self.database.write_now(lambda tx: insert(tx, row))
        self.database.write_now(
            lambda tx: ready(tx, row.id, AT, engine_id="sha256:" + "ab" * 32, digest=None, agent_version="0.8.7", size_bytes=1)
        )
        return row.id


@pytest.fixture
async def web(tmp_path: Path, make_database: Callable[[Path], None]) -> AsyncIterator[Web]:
    prices = {"anthropic/house-model": {"input": 1.0, "output": 2.0}}
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "run_dir": tmp_path / "run", "ports": "20000-20002", "allowed_hosts": ["198.51.100.10:8391"]}
        | {"model_prices": prices}
    )
    make_database(settings.database)
    keys = Keys.of(secrets.token_bytes(32))
    app = furnish(ROUTES, Handed(settings, keys.seal_public, keys.token_pepper, keys.code_mac, {1: keys.signing_key(1)}))
    database = app.state.context.database
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://panel.localhost") as client:
        web = Web(client, database, settings, keys)
        client.headers["Authorization"] = f"Bearer {web.token()}"
        yield web
    database.close()
