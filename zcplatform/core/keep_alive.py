"""How long idle HTTP connections are kept, hop by hop: the inner side always longer than the outer.

A request that is sent into a connection which the inner side closes at that moment is lost and answered with 502: a POST is never sent twice.
"""

EDGE_TO_WEB_S = 60
"""Caddy's side of a connection to web."""
WEB_S = 90
"""Web's side of it."""
PROXY_TO_EDGE = "11m"
"""The edge's side of a connection from a trusted proxy; such proxies keep theirs for up to ten minutes."""
VISITOR_TO_EDGE = "2m"
"""The edge's side of a visitor's connection. Browsers repeat a request that was lost like this."""
