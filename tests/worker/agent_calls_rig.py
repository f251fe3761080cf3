"""A worker's deps on a real database and real files, with a tenant that runs as far as its rows say; its agent is whatever listens on its port."""

import asyncio
import json
import secrets as random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.fakes.places import agent_engine
from tests.rendered import rendered
from zcplatform import clock
from zcplatform.adapters.gateway import Gateway
from zcplatform.agent import sealed
from zcplatform.core.tenant import Tenant
from zcplatform.ids import Names
from zcplatform.ops import tenants as asking
from zcplatform.ops.actor import Actor, ActorKind, Bearer
from zcplatform.ops.context import Call, Context
from zcplatform.ops.providers import MainProvider
from zcplatform.settings import Settings
from zcplatform.store import tenants
from zcplatform.store.db import Database, ReadCache, Tx
from zcplatform.vault.keys import Keys
from zcplatform.worker.deps import Deps
from zcplatform.worker.metrics import Metrics
from zcplatform.worker.reconcile.snapshot import TenantSnapshot, load
from zcplatform.worker.secrets import Secrets
from zcplatform.worker.upstreams import Upstreams

AT = "2026-01-01T00:00:00.000Z"
ACTOR = Actor(id="tok_a", kind=ActorKind.TOKEN, name="tests", bearer=Bearer(), is_super_admin=True)
BEARER = "zc_" + "ab" * 32
KEY = bytes(range(32))


@dataclass
class Rig:
    deps: Deps
    keys: Keys
    tenant: Tenant
    woken: list[str]

    @property
    def row(self) -> Tenant:
        found = self.deps.database.read(lambda tx: tenants.get(tx, self.tenant.id))
        assert found is not None
        return found

    @property
    def snapshot(self) -> TenantSnapshot:
        found = self.deps.database.read(lambda tx: load(tx, self.deps.settings, self.tenant.id))
        assert found is not None
        return found

    def secret(self, name: str) -> Any:
        found = self.deps.database.read(lambda tx: self.deps.secrets.get(tx, self.tenant.id, "agent", name))
        return json.loads(found[1]) if found else None

    def actions(self) -> list[str]:
        rows = self.deps.database.read(lambda tx: tx.execute("SELECT actor, action FROM audit_log ORDER BY sequence").fetchall())
        return [f"{actor} {action}" for actor, action in rows]

    def file(self, *tokens: str) -> None:
        """The agent's own file, with these tokens' hashes in it."""
        folder = self.deps.settings.config_dir / self.tenant.slug / "zeroclaw"
        folder.mkdir(parents=True, exist_ok=True)
        hashes = tuple(sealed.token_hash(token) for token in tokens)
        (folder / "config.toml").write_text(rendered(None, hashes, lambda text: sealed.seal(KEY, text)))


class Make(Protocol):
    def __call__(self, port: int, provider: MainProvider | None = None, **settings: Any) -> Rig: ...


def make_rig(database: Database, root: Path, port: int, provider: MainProvider | None, settings: dict[str, Any]) -> Rig:
    found = Settings(data_dir=root, run_dir=root / "run", ports="1024-65535", **settings)
    keys = Keys.of(random.token_bytes(32))
    vault = Secrets(keys)
    unused: Any = None
    deps = Deps(
        settings=found, names=Names("zc"), database=database, secrets=vault, engine=agent_engine(found, port), gateway=Gateway(timeout_s=1), caddy=unused,
        edge=unused, upstreams=Upstreams(), metrics=Metrics(), engine_slots=asyncio.Semaphore(1),
        cache=ReadCache(database),
    )  # fmt: skip
    context = Context(database, found, keys.seal_public, keys.code_mac, lambda _: None)

    def write(tx: Tx) -> Tenant:
        tenant = asking.create(Call(tx, context, ACTOR, AT), "shop", asking.Changes(provider=provider))
        for name, value in (("bearer", BEARER), ("config_key", KEY.hex()), ("paired", "[]")):
            vault.put(tx, tenant.id, "agent", name, value, AT)
        for kind, number in (("port", port), ("uid", 700_000), ("subnet", 0)):
            tx.execute("INSERT INTO allocations (kind, number, tenant_id) VALUES (?, ?, ?)", (kind, number, tenant.id))
        tenant = tenants.want(tx, tenant, AT, wanted="running")
        healthy = {"seen_generation": tenant.generation, "seen_container": "running", "seen_config": "n.1", "seen_verified": 1}
        tenants.record_seen(
            tx, tenant.id, tenant.generation, AT, {**healthy, "seen_healthy": 1, "seen_healthy_at": clock.text(clock.now())}
        )
        return tenant

    tenant = database.write_now(write)
    return Rig(deps, keys, tenant, [])
