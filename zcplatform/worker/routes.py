"""Compute the edge's routes from the database. A route leads to an agent only if the place confirms that the tenant's own workload answers there."""

from zcplatform import bounded_json
from zcplatform.adapters.caddy import certificate_stamp
from zcplatform.agent import hooks
from zcplatform.core.edge import Json, Listener, Page, Route, Site, document
from zcplatform.core.holds import HoldKind
from zcplatform.core.tenant import Tenant
from zcplatform.ids import TenantId
from zcplatform.log import logger
from zcplatform.settings import Settings
from zcplatform.store import revisions, tenants
from zcplatform.store.db import Database, ReadCache, Tx
from zcplatform.worker.upstreams import Upstreams


class Routes:
    """Caches what it read of a revision while the tenant runs with it: revisions never change."""

    def __init__(self, settings: Settings, database: Database, upstreams: Upstreams) -> None:
        self._settings = settings
        self._upstreams = upstreams
        self._read: dict[TenantId, tuple[int, hooks.Hooks]] = {}
        self._kept = ReadCache(database)

    def document(self) -> Json:
        """Return the desired document: the same object until something changes. Callers must not modify it."""
        settings = self._settings
        stamp = certificate_stamp(settings.tls_certificate, settings.tls_key)
        site = Site.of(settings, stamp)
        return self._kept.get((stamp, self._upstreams.version), lambda tx: document(site, self._load(tx, site)))

    def _load(self, tx: Tx, site: Site) -> list[Route]:
        found = []
        rows = [row for row in tenants.everything(tx) if row.effective_wanted in ("running", "stopped")]
        for row in rows:
            try:
                found.append(self._route(tx, site, row))
            except ValueError as error:
                logger.error("a row has an invalid route; it gets none", tenant=row.id, error=error)
        ids = {row.id for row in rows}
        self._read = {tenant_id: kept for tenant_id, kept in self._read.items() if tenant_id in ids}
        return found

    def _route(self, tx: Tx, site: Site, row: Tenant) -> Route:
        reached = self._upstreams.get(row.id)
        if reached is None or row.seen_upstream != reached.upstream:
            page = Page.SUSPENDED if row.hold(HoldKind.SUSPENDED) else Page.STOPPED
            return site.check(Route(row.slug, row.id, None, page=page))
        open_ways = self._hooks(tx, row)
        listeners: tuple[Listener, ...] = ()
        if reached.listener is not None:
            listeners = tuple(Listener(each.path, reached.listener, each.port, each.inner) for each in open_ways.listeners)
        port = int(reached.upstream.rpartition(":")[2])
        return site.check(Route(row.slug, row.id, port, listeners, open_ways.gateway))

    def _hooks(self, tx: Tx, row: Tenant) -> hooks.Hooks:
        number, found = self._read.get(row.id, (None, hooks.NONE))
        if number != row.revision:
            revision = revisions.get(tx, row.id, row.revision)
            found = _of(revision.settings) if revision else hooks.NONE
            self._read[row.id] = (row.revision, found)
        return found


def _of(text: str) -> hooks.Hooks:
    try:
        settings = bounded_json.loads(text)
    except ValueError:
        return hooks.NONE
    return hooks.of(settings.get("channels")) if isinstance(settings, dict) else hooks.NONE
