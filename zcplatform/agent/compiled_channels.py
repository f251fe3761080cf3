"""The channel types compiled into an agent program, from the output of `zeroclaw channel list`: one line each, by label."""

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
"""Labels, letters and digits only, that are not spelled like the type."""


def types(printed: str) -> tuple[str, ...] | None:
    """Sorted; None if nothing could be parsed, which must not be read as “no channels”."""
    labels = [label.partition("(")[0].strip() for label in _LINE.findall(printed)]
    plain = {re.sub(r"[^a-z0-9]", "", label.lower()) for label in labels}
    return tuple(sorted(_TYPES.get(label, label) for label in plain - {"cli"})) or None
