"""`config migrate --json` and `config patch --json -`: how a configuration is checked before it is used."""

import json
from pathlib import Path
from typing import Any

from zcplatform.demo_agent import channel_checks
from zcplatform.demo_agent.config import SCHEMA, Config, load, malformed, read_document, security_problem
from zcplatform.demo_agent.overrides import CannotStart


def migrate(home: Path) -> tuple[int, dict[str, Any]]:
    """Strict parsing. The real agent would rewrite a file without [tools]; the demo agent reports that and writes nothing."""
    document = read_document(home / "config.toml")
    if "tools" not in document:
        return 0, {"migrated": True, "schema_version": SCHEMA}
    problem = security_problem(document) or next(iter(malformed(document).values()), None)
    if problem is None:
        load(home, lambda _: None)  # every command opens the secrets
    return (1 if problem else 0), {"error": problem, "migrated": False, "schema_version": SCHEMA, "valid": problem is None}


def patch(home: Path, text: str) -> tuple[int, dict[str, Any]]:
    """Accepts only the empty patch, which validates the present file and saves nothing."""
    config = load(home, lambda _: None)
    try:
        asked = json.loads(text)
    except (ValueError, RecursionError):
        return 1, {"code": "value_type_mismatch", "message": "JSON Patch body must be valid JSON"}
    if asked != []:
        raise CannotStart("the demo agent does not change its configuration")
    problem = _problem(config, read_document(home / "config.toml"))
    return (1, problem) if problem else (0, {"results": [], "saved": True})


def _problem(config: Config, document: dict[str, Any]) -> dict[str, str] | None:
    for provider in config.providers:
        if provider.uri and not provider.uri.startswith(("http://", "https://")):
            return {"code": "validation_failed", "message": f"providers.models.{provider.name}.uri must use http/https"}
        if provider.family == "ollama" and provider.model.endswith(":cloud") and not provider.uri:
            message = (
                f"providers.models.{provider.name}.model uses ':cloud', but uri is local or unset. Set uri to a remote Ollama endpoint."
            )
            return {"code": "validation_failed", "message": message}
    names = {provider.name for provider in config.providers}
    for agent in config.agents:
        path = f"agents.{agent.alias}"
        for key, value, is_known in (
            ("model_provider", agent.model_provider, agent.model_provider in names),
            ("risk_profile", agent.risk_profile, agent.risk_profile in document.get("risk_profiles", {})),
            ("runtime_profile", agent.runtime_profile, agent.runtime_profile in document.get("runtime_profiles", {})),
        ):
            if not is_known and (value or key != "runtime_profile"):
                message = f"{path}.{key} = {json.dumps(value)} but it is not configured"
                return {"code": "dangling_reference", "message": message, "path": f"{path}.{key}"}
    return channel_checks.problem(config, document)
