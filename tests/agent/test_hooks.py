"""What of a tenant's settings opens a way in from outside."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcplatform.agent import closed_paths, hooks
from zcplatform.core import edge


def on(**options: object) -> dict[str, Any]:
    return {"enabled": True, "options": options}


def test_types_that_listen_get_a_path_and_a_port_each_in_the_order_of_their_names() -> None:
    found = hooks.of(
        {"webhook.shop": on(), "line.main": on(), "webhook.bank": on(), "irc.main": on(), "lark.main": on(receive_mode="webhook")}
    )
    assert found.listeners == (
        hooks.Listener("lark.main", "/channels/lark/main", 8090, "/lark"),
        hooks.Listener("line.main", "/channels/line/main", 8091, "/line/webhook"),
        hooks.Listener("webhook.bank", "/channels/webhook/bank", 8092, "/webhook"),
        hooks.Listener("webhook.shop", "/channels/webhook/shop", 8093, "/webhook"),
    )
    assert found.gateway == ()


def test_a_channel_is_enabled_unless_it_says_otherwise() -> None:
    assert [each.channel for each in hooks.of({"webhook.main": {}, "webhook.off": {"enabled": False}}).listeners] == ["webhook.main"]


def test_a_port_or_a_path_of_a_persons_choice_counts_for_nothing() -> None:
    [listener] = hooks.of({"webhook.main": on(port=42617, listen_path="/admin/shutdown")}).listeners
    assert (listener.port, listener.inner) == (8090, "/webhook")


def test_types_that_the_gateway_serves_are_named() -> None:
    assert hooks.of({"whatsapp.main": on(), "linq.a": on(), "linq.b": on(), "telegram.main": on()}).gateway == ("linq", "whatsapp")
    assert set(closed_paths.HOOKS) == hooks.GATEWAY_TYPES


@pytest.mark.parametrize(
    "channels",
    [
        None,
        [],
        "webhook.main",
        {"webhook.main": None},
        {"webhook.main": {"enabled": False}},
        {"webhook.main": {"enabled": 1}},
        {"webhook": on()},
        {"webhook.": on()},
        {"webhook.Main": on()},
        {"webhook.a/b": on()},
        {"webhook.a.b": on()},
        {"whatsapp": on()},
        {"lark.main": on()},
        {"lark.main": {"enabled": True, "options": None}},
        {1: on()},
    ],
)
def test_what_is_no_enabled_channel_opens_nothing(channels: object) -> None:
    assert hooks.of(channels) == hooks.NONE


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["webhook.a", "webhook.b_c", "line.x", "whatsapp.m", "lark.l"]) | st.text(max_size=10), _json))
def test_whatever_the_settings_hold_the_edge_takes_what_comes_out(channels: dict[str, Any]) -> None:
    found = hooks.of(channels)
    for each in found.listeners:
        edge.Listener(each.path, "10.83.0.2", each.port, each.inner)
    assert set(found.gateway) <= set(closed_paths.HOOKS)


def test_more_listeners_than_ports_get_none() -> None:
    found = hooks.of({f"webhook.n{number:02}": on() for number in range(40)})
    assert [each.port for each in found.listeners] == list(edge.LISTENER_PORTS)
