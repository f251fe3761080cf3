"""The two names of a secret: the place it has in settings (`channel.telegram.main.bot_token`), and kind and name of its row in the vault."""

KINDS = ("provider", "channel", "mcp")
"""What people may submit. Rows of other kinds are the platform's own."""
_KEY = ".api_key"


def row_of(place: str) -> tuple[str, str]:
    """(kind, name). A provider's key is named after the provider alone."""
    kind, _, name = place.partition(".")
    return kind, name.removesuffix(_KEY) if kind == "provider" else name


def place_of(kind: str, name: str) -> str:
    return f"{kind}.{name}{_KEY if kind == 'provider' and '.' not in name else ''}"
