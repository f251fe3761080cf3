"""Turn drift of an agent's file into a patch of the settings, as far as settings can hold it."""

from collections.abc import Mapping
from typing import Any

from zcplatform.agent.agent_settings import AgentSettings
from zcplatform.agent.channels import types
from zcplatform.agent.drift import SECRET
from zcplatform.agent.providers import FAMILIES
from zcplatform.core.redaction import REDACTED

_PROVIDER = {"model": "model", "uri": "base_url", "temperature": "temperature"}
_ELSEWHERE = {
    "heartbeat.enabled": ("heartbeat", "enabled"),
    "heartbeat.interval_minutes": ("heartbeat", "interval_minutes"),
    "memory.auto_save": ("memory", "auto_save"),
    "memory.conversation_retention_days": ("memory", "conversation_days"),
    "risk_profiles.tenant.level": ("risk", "level"),
}


def settings_patch(settings: AgentSettings, changes: Mapping[str, list[Any]]) -> tuple[dict[str, Any], frozenset[str]]:
    """Return a merge patch of the settings, and the paths of drift that it covers. It is validated like any other change."""
    patch: dict[str, Any] = {}
    kept = set()
    for path, (_, found) in changes.items():
        place = _place(settings, path)
        if place is None or found == SECRET or REDACTED in str(found) or isinstance(found, dict):
            continue
        inside = patch
        for part in place[:-1]:
            inside = inside.setdefault(part, {})
        inside[place[-1]] = found
        kept.add(path)
    return patch, frozenset(kept)


def _place(settings: AgentSettings, path: str) -> tuple[str, ...] | None:
    match path.split("."):
        case ["providers", "models", family, alias, field]:
            provider = settings.providers.get(alias)
            if provider is None or provider.family != family:
                return None
            if field in _PROVIDER:
                return "providers", alias, _PROVIDER[field]
            known = FAMILIES[family].fields.get(field)
            return ("providers", alias, "options", field) if known is not None and known.is_open and known.fixed is None else None
        case ["channels", kind, alias, field]:
            name = f"{kind}.{alias}"
            if name not in settings.channels:
                return None
            known = types()[kind].fields.get(field)
            if field == "enabled":
                return "channels", name, "enabled"
            return ("channels", name, "options", field) if known is not None and known.is_open and known.fixed is None else None
        case _:
            return _ELSEWHERE.get(path)
