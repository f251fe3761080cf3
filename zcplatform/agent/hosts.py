"""The one host a provider key may be sent to: requests and the renderer ask here, so that both mean the same."""

from urllib.parse import urlsplit

from zcplatform.agent.providers import family


def key_host(family_name: str, base_url: str | None) -> str:
    """Host and port of the base URL that is really used; the family's name where it has none that is known beforehand."""
    parts = urlsplit(base_url or family(family_name).default_uri or "")
    return f"{parts.hostname or family_name}:{parts.port or (80 if parts.scheme == 'http' else 443)}"
