"""Who asks is who connected to the edge: what a client writes about itself never reaches the API."""

import pytest

from tests.live.edge_rig import Rig

pytestmark = pytest.mark.live

LIES = (
    "X-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 7.7.7.7\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nTrue-Client-IP: 6.6.6.6\r\nCF-Connecting-IP: 6.6.6.6\r\n"
    "X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nX_Forwarded_For: 6.6.6.6\r\nConnection: X-Forwarded-For\r\nX-HTTP-Method-Override: DELETE\r\n"
)


async def test_the_api_believes_no_client_about_its_address(made: Rig) -> None:
    """S-37: limits by address and the audit hold the address that the edge saw."""
    await made.loop.apply()
    await made.ask(made.settings.panel_host, "/api/tenants", headers=LIES)
    assert made.web.header("x-forwarded-for") == made.web.header("x-real-ip") == ["127.0.0.1"]
    assert made.web.header("x-forwarded-proto") == ["http"]
    assert made.web.header("x-forwarded-host") == made.web.header("host") == [made.settings.panel_host]
    for word in ("6.6.6.6", "7.7.7.7", "evil.example", "X-Http-Method", "Forwarded: for"):
        assert word.lower() not in made.web.heads[-1].lower()
