import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcplatform import ids
from zcplatform.agent import closed_paths
from zcplatform.core import edge, edge_closed, keep_alive
from zcplatform.settings import Settings

SITE = edge.Site.of(Settings(run_dir=Path("/run/zc"), domain="example.test", tls="on_demand"))
OFF = edge.Site.of(Settings(run_dir=Path("/run/zc"), domain="localhost", http_port=8080, ask_port=9180))
ALPHA = edge.Route("alpha", "ten_01m830k6vx6qxgfg6fcy4f", 20001)
BETA = edge.Route("beta", "ten_01m830k6vxpgsjk3rj2qct", None)
LISTENER = edge.Listener("/channels/webhook/main", "10.83.0.2", 8090, "/webhook")
DESIGN = "/admin* /metrics* /pair/code* /health* /api/version* /api/openapi.json /api/docs /ws/nodes* /hooks* /api/oidc* /oidc* /a2a* */.well-known/agent*"


def servers(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["apps"]["http"]["servers"]
    return found


def matched(document: dict[str, Any], matcher: str) -> list[Any]:
    """Every value of this matcher in the routes of the public server, however deep."""
    found = []

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            found.extend([part[matcher]] if matcher in part else [])
            for inner in part.values():
                walk(inner)
        elif isinstance(part, list):
            for inner in part:
                walk(inner)

    walk(servers(document)["public"]["routes"])
    return found


def test_tenants_are_named_in_order_and_without_anything_else() -> None:
    assert [route for route in servers(edge.document(OFF, [BETA, ALPHA]))["public"]["routes"] if route.get("group") == "tenant"] == [
        {
            "group": "tenant",
            "match": [{"host": ["alpha.localhost"]}],
            "handle": [{"handler": "vars", "zcp_tenant": ALPHA.tenant_id, "zcp_state": "running", "zcp_port": "20001"}],
        },
        {
            "group": "tenant",
            "match": [{"host": ["beta.localhost"]}],
            "handle": [{"handler": "vars", "zcp_tenant": BETA.tenant_id, "zcp_state": "stopped"}],
        },
    ]


def test_the_document_is_what_json_makes_of_it() -> None:
    """Else a comparison with what Caddy returns would differ for ever."""
    document = edge.document(SITE, [ALPHA, BETA])
    assert json.loads(json.dumps(document)) == document
    assert edge.document(SITE, [BETA, ALPHA]) == document


def test_admin_is_a_private_socket_and_nothing_is_persisted() -> None:
    assert edge.document(SITE, [])["admin"] == {"listen": "unix//run/zc/caddy/admin.sock|0600", "config": {"persist": False}}


@pytest.mark.parametrize("path", DESIGN.split())
def test_every_closed_path_is_closed(path: str) -> None:
    closed = [paths for paths in matched(edge.document(SITE, [ALPHA]), "path") if paths == closed_paths.TENANT]
    assert len(closed) == 1
    assert path in closed[0] or f"{path}*" in closed[0]


def test_odd_paths_are_refused_before_any_host_is_looked_at() -> None:
    routes = servers(edge.document(SITE, [ALPHA, BETA]))["public"]["routes"]
    odd = next(place for place, route in enumerate(routes) if route.get("match") == edge_closed.ODD)
    assert routes[odd]["terminal"] is True
    assert not any("host" in matcher for route in routes[: odd + 1] for matcher in route.get("match", []))


def test_the_last_route_is_a_404_and_base_has_no_name() -> None:
    for document in (edge.document(SITE, [ALPHA]), edge.base(SITE)):
        for server in servers(document).values():
            last = server["routes"][-1]
            assert "match" not in last
            assert last["handle"][0]["status_code"] == 404
    assert matched(edge.base(SITE), "host") == []
    assert len(servers(edge.base(SITE))["ask"]["routes"]) == 1


def test_the_panel_answers_to_local_names_only_without_tls() -> None:
    assert ["panel.localhost", "localhost", "127.0.0.1"] in matched(edge.document(OFF, []), "host")
    assert ["panel.example.test"] in matched(edge.document(SITE, []), "host")


def test_ask_listens_on_loopback_and_knows_the_names() -> None:
    ask = servers(edge.document(SITE, [ALPHA, BETA]))["ask"]
    assert ask["listen"] == ["127.0.0.1:9180"]
    known = ["panel.example.test", "alpha.example.test", "beta.example.test"]
    assert ask["routes"][0]["match"] == [{"path": ["/ask"], "method": ["GET"], "query": {"domain": known}}]
    assert [route["handle"][-1]["handler"] for route in ask["routes"]] == ["static_response", "reverse_proxy", "static_response"]


def test_without_tls_local_names_are_served_to_this_machine_only() -> None:
    assert servers(edge.document(OFF, []))["public"]["listen"] == ["127.0.0.1:8080"]
    wide = edge.Site.of(Settings(domain="example.test"))
    assert servers(edge.document(wide, []))["public"]["listen"] == [":80"]


@pytest.mark.parametrize(("mode", "issuers"), [("on_demand", [{"module": "acme"}]), ("internal", [{"module": "internal"}])])
def test_certificates_are_asked_for(mode: Literal["on_demand", "internal"], issuers: list[dict[str, str]]) -> None:
    apps = edge.document(edge.Site.of(Settings(domain="example.test", tls=mode)), [ALPHA])["apps"]
    assert apps["tls"]["automation"] == {
        "policies": [{"on_demand": True, "issuers": issuers}],
        "on_demand": {"permission": {"module": "http", "endpoint": "http://127.0.0.1:9180/ask"}},
    }


def test_certificate_files_are_loaded_and_their_stamp_changes_the_document() -> None:
    settings = Settings(domain="example.test", tls="files", tls_certificate=Path("/c.pem"), tls_key=Path("/k.pem"))
    first, second = (edge.document(edge.Site.of(settings, stamp), []) for stamp in ("1", "2"))
    assert first["apps"]["tls"] == {"certificates": {"load_files": [{"certificate": "/c.pem", "key": "/k.pem", "tags": ["1"]}]}}
    assert edge.changed(first, second)
    with pytest.raises(ValueError, match="tls_certificate"):
        edge.Site.of(Settings(tls="files"))


def test_only_what_differs_is_changed() -> None:
    document = edge.document(SITE, [ALPHA])
    assert not edge.changed(json.loads(json.dumps(document)), document)
    assert edge.changed(None, document)
    assert edge.changed(edge.base(SITE), document)


def test_a_kept_document_fits_only_the_settings_it_was_made_for() -> None:
    kept = edge.document(SITE, [ALPHA])
    assert edge.fits(SITE, kept)
    assert not edge.fits(OFF, kept)
    assert not edge.fits(SITE, {})
    assert not edge.fits(SITE, {"apps": {"http": {"servers": {"public": {"listen": [":443"]}}}}})
    assert not edge.fits(SITE, {"apps": []})


@pytest.mark.parametrize(
    ("slug", "port"),
    [
        (slug, 20001)
        for slug in ("*", "a.b", "Abc", "-ab", "ab-", "xn--abc", "аbc", "abc\n", "", "ab", "a" * 33, "a{b", "{env.HOME}", "panel")
    ]
    + [("abc", port) for port in (0, -1, 65536, True, "20001", 20001.0, 22, 9180, 2375)],
)
def test_what_is_no_slug_or_no_port_of_ours_is_refused(slug: str, port: Any) -> None:
    with pytest.raises(ValueError, match=r"slug|port|panel"):
        edge.document(SITE, [edge.Route(slug, ALPHA.tenant_id, port)])


@pytest.mark.parametrize(
    "tenant_id", ["", "ten_x", "op_01m830k6vx6qxgfg6fcy4f", "ten_01m830k6vx6qxgfg6fcy4f\n", "{http.request.header.Cookie}"]
)
def test_what_is_no_tenant_id_is_refused(tenant_id: str) -> None:
    with pytest.raises(ValueError, match="tenant"):
        edge.Route("alpha", tenant_id, 20001)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (edge.Route("alpha", ids.new_tenant_id(), 20002), "slug"),
        (edge.Route("gamma", ALPHA.tenant_id, 20002), "tenant"),
        (edge.Route("gamma", ids.new_tenant_id(), 20001), "port"),
        (edge.Route("gamma", ids.new_tenant_id(), 20002, (LISTENER,)), "address"),
    ],
)
def test_two_routes_share_nothing(other: edge.Route, what: str) -> None:
    with pytest.raises(ValueError, match=f"share a {what}"):
        edge.document(SITE, [replace(ALPHA, listeners=(LISTENER,)), other])


@given(st.one_of(st.text(), st.text(alphabet="abcxn019-.{}*\"'\n ", max_size=40)))
def test_an_accepted_slug_is_a_plain_label(slug: str) -> None:
    try:
        route = edge.Route(slug, ALPHA.tenant_id, 20001)
    except ValueError:
        return
    assert re.fullmatch(r"[a-z0-9-]{3,32}", slug)
    assert slug.encode("idna").decode() == slug
    assert slug == "panel" or f'"{slug}.example.test"' in json.dumps(edge.document(SITE, [route]))


@given(st.sets(st.from_regex(r"[a-z0-9]{3,8}", fullmatch=True), max_size=8), st.data())
def test_a_port_is_reached_only_from_its_tenants_name(slugs: set[str], data: st.DataObject) -> None:
    ports = {slug: data.draw(st.sampled_from([None, 20000 + place])) for place, slug in enumerate(sorted(slugs - {"panel"}))}
    document = edge.document(SITE, [edge.Route(slug, ids.new_tenant_id(), port) for slug, port in ports.items()])
    tenants = [route for route in servers(document)["public"]["routes"] if route.get("group") == "tenant"]
    named = {route["match"][0]["host"][0].split(".")[0]: route["handle"][0].get("zcp_port") for route in tenants}
    assert named == {slug: None if port is None else str(port) for slug, port in ports.items()}


def test_a_channel_that_listens_is_reached_by_post_on_its_own_path_before_its_tenant() -> None:
    document = edge.document(SITE, [replace(ALPHA, listeners=(LISTENER,)), BETA])
    routes = servers(document)["public"]["routes"]
    [first, *_] = [route for route in routes if route.get("group") == "tenant"]
    assert first["match"] == [{"host": ["alpha.example.test"], "path": ["/channels/webhook/main"], "method": ["POST"]}]
    assert first["handle"][0] | {"zcp_dial": "10.83.0.2:8090", "zcp_inner": "/webhook"} == first["handle"][0]
    stopped = edge.document(SITE, [replace(ALPHA, listeners=(LISTENER,), port=None)])
    assert "10.83.0.2" not in json.dumps(stopped)


@pytest.mark.parametrize(
    ("path", "address", "port", "inner"),
    [
        ("/", "10.83.0.2", 8090, "/webhook"),
        ("/channels/webhook/main*", "10.83.0.2", 8090, "/webhook"),
        ("/channels/webhook/{env.HOME}", "10.83.0.2", 8090, "/webhook"),
        ("/channels/webhook/main", "localhost", 8090, "/webhook"),
        ("/channels/webhook/main", "10.83.0.2", 42617, "/webhook"),
        ("/channels/webhook/main", "10.83.0.2", "8090", "/webhook"),
        ("/channels/webhook/main", "10.83.0.2", 8090, "/admin/shutdown/now"),
        ("/channels/webhook/main", "10.83.0.2", 8090, "/webhook?x={env.HOME}"),
    ],
)
def test_what_is_no_way_to_a_channel_is_refused(path: str, address: str, port: Any, inner: str) -> None:
    with pytest.raises(ValueError, match=r"channel|Expected"):
        edge.Listener(path, address, port, inner)


def test_a_channel_outside_our_networks_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        edge.document(SITE, [replace(ALPHA, listeners=(replace(LISTENER, address="169.254.169.254"),))])


def test_what_services_call_is_closed_but_for_those_who_have_such_a_channel() -> None:
    document = edge.document(SITE, [replace(ALPHA, hooks=("whatsapp",)), BETA])
    named = {route["match"][0]["host"][0]: route["handle"][0] for route in servers(document)["public"]["routes"] if "group" in route}
    assert named["alpha.example.test"]["zcp_hook_whatsapp"] == "open"
    assert not any(name.startswith("zcp_hook") for name in named["beta.example.test"])
    for paths in closed_paths.HOOKS.values():
        assert paths in matched(document, "path")
    with pytest.raises(ValueError, match="webhook paths"):
        replace(ALPHA, hooks=("admin",))


def test_idle_connections_live_longer_on_the_inner_side_of_each_hop() -> None:
    """A request sent into a connection that closes at this moment is lost (F6)."""
    transports = matched(edge.document(SITE, [ALPHA]), "transport")
    assert {json.dumps(transport["keep_alive"], sort_keys=True) for transport in transports} == {
        json.dumps({"idle_timeout": f"{keep_alive.EDGE_TO_WEB_S}s"}),
        json.dumps({"enabled": False}),
    }
    assert keep_alive.WEB_S >= keep_alive.EDGE_TO_WEB_S + 15
    behind = edge.Site.of(Settings(domain="example.test", public_url="https://panel.example.test", trusted_proxies=["10.0.0.7"]))
    assert servers(edge.document(behind, []))["public"]["idle_timeout"] == keep_alive.PROXY_TO_EDGE
    assert servers(edge.document(SITE, []))["public"]["idle_timeout"] == keep_alive.VISITOR_TO_EDGE


def test_a_suspended_tenant_has_a_page_of_its_own() -> None:
    """E7: nobody in its team can start it."""
    document = edge.document(SITE, [replace(BETA, page=edge.Page.SUSPENDED)])
    assert '"zcp_state": "suspended"' in json.dumps(document)
    pages = {
        route["match"][0]["vars"]["zcp_state"][0]: route["handle"][0] for route in servers(document)["public"]["routes"] if _is_page(route)
    }
    assert set(pages) == set(edge.Page)
    assert "only the operator can resume it" in pages["suspended"]["body"]
    assert "start" not in pages["suspended"]["body"]
    assert "its team can start it" in pages["stopped"]["body"]


def _is_page(route: dict[str, Any]) -> bool:
    return "vars" in route.get("match", [{}])[0] and route["handle"][0]["handler"] == "static_response"


def test_our_own_reads_of_the_admin_api_are_not_logged() -> None:
    logs = edge.document(SITE, [])["logging"]["logs"]
    assert logs["default"]["exclude"] == logs["admin"]["include"] == ["admin.api"]
    assert logs["admin"]["level"] == "WARN"
