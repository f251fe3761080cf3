"""How long idle HTTP connections are kept open, hop by hop. The server's side of each hop keeps them longer than the client's side.

Otherwise a request could be sent into a connection that the server is just closing. It would be answered with 502, because a POST is never repeated.
"""

EDGE_TO_WEB_S = 60
"""Caddy's side of a connection to web."""
WEB_S = 90
"""Web's side of it."""
PROXY_TO_EDGE = "11m"
"""The edge's side of a connection from a trusted proxy; such proxies keep theirs for up to ten minutes."""
VISITOR_TO_EDGE = "2m"
"""The edge's side of a visitor's connection. Browsers repeat a request that was lost like this."""
