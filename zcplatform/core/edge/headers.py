"""Request headers that visitors may not set, and response headers that agents may not set."""

from typing import Any

from zcplatform.core import edge_closed
from zcplatform.core.edge import pages
from zcplatform.core.edge.site import Site

Json = dict[str, Any]

CLIENT_HEADERS_DROPPED = [
    "Forwarded", "X-Forwarded*", "X-Real-*", "X-Client-*", "X-Cluster-*", "True-Client-*", "Cf-Connecting-*", "X-Original-*", "X-Rewrite-*",
    "X-User*", "X-Tenant*", "X-Auth-*", "X-Remote-*", "Remote-*", "X-Http-Method*", "X-Method-Override", "X-Zcplatform*",
    "X-Zeroclaw-Admin-*", "Proxy*", "X_*",
]  # fmt: skip
"""Headers with which a visitor could claim an address, host or identity, or turn one request into another.

`X_*`: some servers read an underscore as a hyphen.
"""


def guards() -> list[Json]:
    """Routes that run before any host is matched, the panel's included: nothing behind the edge sees such a header or path."""
    return [
        {"handle": [{"handler": "headers", "request": {"delete": CLIENT_HEADERS_DROPPED}}]},
        # An agent that accepts `Upgrade: h2c` would open a tunnel in which paths are not checked. WebSockets only.
        {
            "match": [{"not": [{"vars_regexp": {"{http.request.header.Upgrade}": {"pattern": "(?i)^(websocket)?$"}}}]}],
            "handle": [{"handler": "headers", "request": {"delete": ["Upgrade", "Http2-Settings"]}}],
        },
        {"match": edge_closed.ODD, "handle": [pages.plain(400, "bad-path")], "terminal": True},
    ]


def tenant_response(site: Site) -> Json:
    """Mark a response with its tenant and remove what an agent must not send.

    Deferred, or an agent could add a second marker with another tenant's id. `Clear-Site-Data` would clear the panel's cookies too.
    """
    return {
        "handler": "headers",
        "response": {
            "deferred": True,
            "set": {pages.TENANT_HEADER: ["{http.vars.zcp_tenant}"], **_transport_security(site)},
            "delete": [pages.REASON_HEADER, "Clear-Site-Data"],
        },
    }


def panel_response(site: Site) -> Json:
    return {
        "handler": "headers",
        "response": {"deferred": True, "set": _transport_security(site), "delete": [pages.REASON_HEADER]},
    }


def _transport_security(site: Site) -> Json:
    """Not with our own CA: browsers would then not offer the exception that people need."""
    return {"Strict-Transport-Security": ["max-age=31536000"]} if site.tls in ("on_demand", "files") else {}
