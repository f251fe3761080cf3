"""Routes from the database, each validated again: a row cannot lead anywhere but to its own tenant's container."""

from zcplatform import bounded_json
from zcplatform.adapters.caddy import certificate_stamp
from zcplatform.agent import hooks
from zcplatform.core.edge import Json, Listener, Page, Route, Site, document
from zcplatform.core.holds import HoldKind
from zcplatform.core.network import address
from zcplatform.core.tenant import Tenant
from zcplatform.ids import TenantId
from zcplatform.log import logger
from zcplatform.settings import Settings
from zcplatform.store import allocations, revisions, tenants
from zcplatform.store.allocations import Allocation
from zcplatform.store.db import Database, ReadCache, Tx


class Routes:
    """Caches what it read of a revision as long as the tenant runs with it: revisions never change."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._read: dict[TenantId, tuple[int, hooks.Hooks]] = {}
        self._kept = ReadCache(database)

    def document(self) -> Json:
        """Return the wanted document: the same object until something changes. Callers must not modify it."""
        settings = self._settings
        stamp = certificate_stamp(settings.tls_certificate, settings.tls_key)
        site = Site.of(settings, stamp)
        return self._kept.get(stamp, lambda tx: document(site, self._load(tx, site)))

    def _load(self, tx: Tx, site: Site) -> list[Route]:
        found = []
        rows = [row for row in tenants.everything(tx) if row.effective_wanted in ("running", "stopped")]
        for row in rows:
            allocation = allocations.get(tx, row.id)
            try:
                found.append(self._route(tx, site, row, allocation))
            except ValueError as error:
                logger.error("a row has an invalid route; it gets none", tenant=row.id, error=error)
        ids = {row.id for row in rows}
        self._read = {tenant_id: kept for tenant_id, kept in self._read.items() if tenant_id in ids}
        return found

    def _route(self, tx: Tx, site: Site, row: Tenant, allocation: Allocation | None) -> Route:
        if allocation is None or row.seen_route_port != allocation.port:
            page = Page.SUSPENDED if row.hold(HoldKind.SUSPENDED) else Page.STOPPED
            return site.check(Route(row.slug, row.id, None, page=page))
        open_ways = self._hooks(tx, row)
        listeners: tuple[Listener, ...] = ()
        if open_ways.listeners:
            host = address(allocation.subnet, self._settings.subnet_network)
            listeners = tuple(Listener(each.path, host, each.port, each.inner) for each in open_ways.listeners)
        return site.check(Route(row.slug, row.id, allocation.port, listeners, open_ways.gateway))

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
