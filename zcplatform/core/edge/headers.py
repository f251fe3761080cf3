"""Request headers that visitors may not set, and response headers that agents may not set."""

from typing import Any

from zcplatform.core import edge_closed
from zcplatform.core.edge import pages
from zcplatform.core.edge.site import Site

Json = dict[str, Any]

CLIENT_HEADERS_DROPPED = [
    # Addresses and hosts, in every vendor's words: Client-Ip, True-Client-Ip, Fly-Client-Ip, X-Azure-Clientip, X-Appengine-User-Ip …
    "*Forwarded*", "*Client-Ip*", "*Clientip*", "*Connecting-*", "*Real-Ip*", "*User-Ip*", "*Source-Ip*", "*Remote-*", "*Originating-*",
    "*-Cluster-*", "*Proxy*", "X-Real-*", "X-Client*", "X-Host*", "X-Original-*", "X-Rewrite-*",
    # Identities that a proxy in front would vouch for.
    "*Authenti*", "*Auth-*", "*Webauth*", "*Client-Cert*", "*Clientcert*", "*Ssl-*", "*Principal*", "*Userinfo*", "*-Jwt-*", "*Oidc-*",
    "X-User*", "X-Tenant*", "X-Consumer-*", "X-Credential-*", "X-Email*", "X-Groups*", "X-Preferred-*", "X-Impersonat*", "Impersonate-*",
    "X-Admin*", "X-Role*", "X-Trusted-*", "X-Goog-Iap-*", "*Tailscale-*", "X-Pomerium-*",
    # Families of one vendor's proxies.
    "*Envoy-*", "*Fastly-*", "Cf-*", "*Cdn-*", "X-Azure-*", "X-Ms-*", "X-Amzn-*", "X-Appengine-*", "X-Arr-*", "*Akamai-*", "X-Vercel-*",
    "X-Nf-*", "Fly-*", "*Cloudfront-*",
    # Another request than the one that was sent, and our own headers.
    "X-Http-*", "X-Method-Override", "X-Zcplatform*", "X-Zeroclaw-Admin-*",
    # Some servers read an underscore as a hyphen.
    "*_*",
]  # fmt: skip
"""Headers with which a visitor could claim an address, host or identity, or turn one request into another. Caddy ignores case here.

Not dropped: signatures and ids of services that call channels (X-Hub-Signature-256, X-Line-Signature, X-Goog-Channel-Id …).
"""

COOKIE_DOMAIN = r"(?i);[\x00-\x20\x7f]*domain[\x00-\x20\x7f]*=[^;]*"
"""The Domain attribute in a Set-Cookie header. Browsers split at `;` only, ignore case and trim white space around names."""


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

    Deferred, or an agent could add a second marker with another tenant's id. `Clear-Site-Data` would clear the panel's cookies too. A cookie
    with a Domain would be sent to the panel and to all other tenants; without it, it stays with the host that set it.
    """
    return {
        "handler": "headers",
        "response": {
            "deferred": True,
            "set": {pages.TENANT_HEADER: ["{http.vars.zcp_tenant}"], **_transport_security(site)},
            "delete": [pages.REASON_HEADER, "Clear-Site-Data", "Set-Cookie2"],
            "replace": {"Set-Cookie": [{"search_regexp": COOKIE_DOMAIN, "replace": ""}]},
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
