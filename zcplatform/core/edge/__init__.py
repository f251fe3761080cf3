"""The edge as data: which names exist, where they lead, and the Caddy document made from them. Pure."""

from zcplatform.core.edge.document import Json, base, changed, document, fits
from zcplatform.core.edge.headers import CLIENT_HEADERS_DROPPED
from zcplatform.core.edge.pages import Page
from zcplatform.core.edge.site import LISTENER_PORTS, Listener, Route, Site

__all__ = ["CLIENT_HEADERS_DROPPED", "LISTENER_PORTS", "Json", "Listener", "Page", "Route", "Site", "base", "changed", "document", "fits"]
