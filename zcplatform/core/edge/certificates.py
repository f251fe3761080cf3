"""Where the edge gets its certificates, the listener that decides for which names, and the redirect from HTTP to HTTPS."""

import re
from typing import Any

from zcplatform.core.edge.routing import ask_web
from zcplatform.core.edge.site import Site

Json = dict[str, Any]


def tls(site: Site) -> Json:
    """The `tls` (and `pki`) apps of the document; empty without TLS."""
    if site.tls == "off":
        return {}
    if site.tls == "files":
        files = {"certificate": str(site.certificate), "key": str(site.key)}
        stamp = {"tags": [site.certificate_stamp]} if site.certificate_stamp else {}
        return {"tls": {"certificates": {"load_files": [{**files, **stamp}]}}}
    issuer = "internal" if site.tls == "internal" else "acme"
    automation = {
        "policies": [{"on_demand": True, "issuers": [{"module": issuer}]}],
        "on_demand": {"permission": {"module": "http", "endpoint": f"http://127.0.0.1:{site.ask_port}/ask"}},
    }
    # Adding our own CA to the system's trust store needs root, which the edge does not have.
    pki = {"pki": {"certificate_authorities": {"local": {"install_trust": False}}}} if site.tls == "internal" else {}
    return {"tls": {"automation": automation}, **pki}


def ask(site: Site, names: list[str]) -> list[Json]:
    """Routes of the loopback listener that permits certificates.

    Names in the document are answered here, so certificates work while the platform is down. A name newer than the document is passed to
    web, but only if it looks like one of ours: the internet sends anything.
    """
    ours = {"{http.request.uri.query.domain}": {"pattern": rf"^[a-z0-9-]{{3,32}}\.{re.escape(site.domain)}$"}}
    request = {"path": ["/ask"], "method": ["GET"]}
    return [
        {
            "match": [{**request, "query": {"domain": names}}],
            "handle": [{"handler": "static_response", "status_code": 200}],
            "terminal": True,
        },
        {
            "match": [{**request, "vars_regexp": ours}],
            "handle": [
                {"handler": "rewrite", "uri": "/internal/ask?domain={http.request.uri.query.domain}"},
                ask_web(site),
            ],
            "terminal": True,
        },
    ]


def redirect(site: Site) -> Json:
    port = "" if site.https_port == 443 else f":{site.https_port}"
    location = {"Location": [f"https://{{http.request.host}}{port}{{http.request.uri}}"]}
    return {
        "match": [
            {
                "host": [f"*.{site.domain}", site.panel_host],
                "not": [{"vars_regexp": {"{http.request.host}": {"pattern": "[^A-Za-z0-9.-]"}}}],
            }
        ],
        "handle": [{"handler": "static_response", "status_code": 308, "headers": location}],
        "terminal": True,
    }
