"""Parse the channel types compiled into an agent program from the output of `zeroclaw channel list`, which has one label per line."""

import re

COMMAND = ("channel", "list")
_LINE = re.compile(r"^\s*[✅❌]\s+(\S.{0,60})$", re.MULTILINE)
_TYPES = {
    "imessage": "imessage",
    "nextcloudtalk": "nextcloud_talk",
    "gmailpush": "gmail_push",
    "wecomwebsocket": "wecom_ws",
    "qqofficial": "qq",
    "xtwitter": "twitter",
    "voicecall": "voice_call",
    "voicewake": "voice_wake",
}
"""Labels (letters and digits only) that are spelled differently from their type."""


def types(printed: str) -> tuple[str, ...] | None:
    """Return the types, sorted; None if nothing could be parsed, which must not be taken for “no channels”."""
    labels = [label.partition("(")[0].strip() for label in _LINE.findall(printed)]
    plain = {re.sub(r"[^a-z0-9]", "", label.lower()) for label in labels}
    return tuple(sorted(_TYPES.get(label, label) for label in plain - {"cli"})) or None
