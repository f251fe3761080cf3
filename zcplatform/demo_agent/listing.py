"""`channel list`: the channels that are compiled in, by their labels, as the real agent with all common channels prints them."""

LABELS = (
    "Telegram", "Discord", "Slack", "Mattermost", "iMessage", "Signal", "WhatsApp", "Linq", "NextCloud Talk", "Email", "Gmail Push", "Twitch", "IRC",
    "Lark", "DingTalk", "WeCom", "WeCom WebSocket", "QQ Official", "ClawdTalk", "Reddit", "Bluesky", "Git", "X/Twitter", "Mochat", "LINE",
    "Voice Call", "MQTT", "AMQP", "Filesystem", "Webhook", "Notion",
)  # fmt: skip


def channels() -> str:
    lines = ["Channels:", "  ✅ CLI (always available)", *(f"  ❌ {label}" for label in LABELS)]
    return "\n".join(lines) + "\n"
