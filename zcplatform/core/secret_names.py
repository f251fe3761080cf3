"""The two names of a secret: its path in the settings (`channels.telegram.main.bot_token`), and kind and name of its row in the vault.

The row's kind and name are part of what its ciphertext is bound to, so they never change.
"""

KINDS = ("provider", "channel", "mcp")
"""Kinds of secrets that people may submit. Rows of other kinds are the platform's own."""
_KEY = ".api_key"
_PLURALS = {"providers": "provider", "channels": "channel"}


def row_of(secret: str) -> tuple[str, str]:
    """Return (kind, name) of the row. A provider's key is named after the provider alone."""
    section, _, name = secret.partition(".")
    kind = _PLURALS.get(section, section)
    return kind, name.removesuffix(_KEY) if kind == "provider" else name


def secret_of(kind: str, name: str) -> str:
    section = next((plural for plural, singular in _PLURALS.items() if singular == kind), kind)
    return f"{section}.{name}{_KEY if kind == 'provider' and '.' not in name else ''}"
