"""HTTP to untrusted servers: no cookies, proxies or compression; one connection per request; bounded headers and bodies.

Address and redirects are set per request: callers pass `allow_redirects=False`.
"""

import aiohttp

LONGEST_BODY = 65_536


def session(connector: aiohttp.TCPConnector, *, longest_header: int, most_headers: int) -> aiohttp.ClientSession:
    """Create a session. It has no timeout: callers limit the whole exchange."""
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        headers={"User-Agent": "zcplatform", "Accept": "application/json", "Accept-Encoding": "identity"},
        trust_env=False,
        auto_decompress=False,
        max_line_size=longest_header,
        max_field_size=longest_header,
        max_headers=most_headers,
        read_bufsize=LONGEST_BODY,
    )


async def read(response: aiohttp.ClientResponse) -> bytes | None:
    """Read a body. Returns None if it is longer than LONGEST_BODY; the rest is not read."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LONGEST_BODY:
            response.close()
            return None
    return bytes(body)
