"""Which channel types an agent program has compiled in, from what `zeroclaw channel list` prints: one line for each, by its label."""

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
"""Labels that are spelled otherwise than the type, letters and digits only."""


def types(printed: str) -> tuple[str, ...] | None:
    """Sorted; None when nothing of it is understood, so that nobody concludes that there are none."""
    labels = [label.partition("(")[0].strip() for label in _LINE.findall(printed)]
    plain = {re.sub(r"[^a-z0-9]", "", label.lower()) for label in labels}
    return tuple(sorted(_TYPES.get(label, label) for label in plain - {"cli"})) or None
