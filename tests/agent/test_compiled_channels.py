"""What `zeroclaw channel list` prints, understood."""

from zcplatform.agent.compiled_channels import types
from zcplatform.demo_agent.listing import channels


def test_labels_become_types() -> None:
    found = types(channels())
    assert found is not None
    assert {"telegram", "nextcloud_talk", "wecom_ws", "qq", "twitter", "gmail_push", "voice_call", "irc"} <= set(found)
    assert "cli" not in found
    assert len(found) == 31


def test_something_else_is_no_list() -> None:
    assert types("error: unrecognized subcommand") is None
    assert types("") is None
