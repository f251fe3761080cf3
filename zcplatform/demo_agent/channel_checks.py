"""The real agent's validation of channels, peers and MCP servers: returns the first problem."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from zcplatform.demo_agent.channel_fields import types
from zcplatform.demo_agent.config import Config

_NEEDED = {
    "telegram": ("bot_token",),
    "discord": ("bot_token",),
    "signal": ("http_url", "account"),
    "voice_call": ("account_id", "auth_token", "from_number"),
}
_MOST = {"reply_min_interval_secs": 3600, "reply_queue_depth_max": 1024, "thread_context_max_messages": 50}


def problem(config: Config, document: Mapping[str, Any]) -> dict[str, str] | None:
    """`document` is the file; `config.channels` are the channels in it that could be read."""
    found = (
        *(one for kind, alias, is_on in config.channels for one in _channel(kind, alias, document["channels"][kind][alias], is_on=is_on)),
        *_references(config, document),
        *_groups(config, document),
        *_servers(config.servers),
    )
    return found[0] if found else None


def _told(code: str, message: str, path: str | None = None) -> dict[str, str]:
    return {"code": code, "message": message, **({"path": path} if path else {})}


def _channel(kind: str, alias: str, entry: Mapping[str, Any], *, is_on: bool) -> Iterator[dict[str, str]]:
    inside = f"channels.{kind}.{alias}"
    for name, most in _MOST.items():
        if name in types()[kind] and entry.get(name, 0) > most:
            yield _told("invalid_numeric_range", f"{inside}.{name} = {entry[name]} is out of range; must be 0..={most}", f"{inside}.{name}")
    for name in _NEEDED.get(kind, ()) if is_on else ():
        if not str(entry.get(name, "")).strip():
            yield _told("required_field_empty", f"{inside}.{name} is required when {inside}.enabled = true", f"{inside}.{name}")
    name = "api_base_url"
    if kind == "telegram" or (kind == "git" and is_on and entry.get("provider") in ("gitea", "forgejo")):
        address = entry.get(name, "https://api.telegram.org" if kind == "telegram" else "")
        if not address.strip():
            yield _told("required_field_empty", f"{inside}.{name} must not be empty", f"{inside}.{name}")
        elif not address.startswith(("http://", "https://")):
            yield _told("invalid_format", f"{inside}.{name} must use http:// or https://", f"{inside}.{name}")


def _references(config: Config, document: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    known = _names(config)
    for agent in config.agents:
        for place, name in enumerate(document["agents"][agent.alias].get("channels", [])):
            path = f"agents.{agent.alias}.channels[{place}]"
            if "." not in name:
                yield _told("invalid_format", f"{path} must be dotted form `<type>.<alias>` (got {json.dumps(name)})", path)
            elif name not in known:
                yield _told("dangling_reference", f"{path} = {json.dumps(name)} but channels.{name} is not configured", path)


def _groups(config: Config, document: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    agents = {agent.alias: document["agents"][agent.alias].get("channels", []) for agent in config.agents}
    for alias, group in document.get("peer_groups", {}).items():
        channel = group.get("channel", "")
        if not channel.strip():
            path = f"peer_groups.{alias}.channel"
            yield _told("required_field_empty", f"{path} must name a channel type or dotted alias", path)
        elif "." in channel and channel not in _names(config):
            path = f"peer_groups.{alias}.channel"
            yield _told("dangling_reference", f"{path} = {json.dumps(channel)} but [channels.{channel}] is not configured", path)
        for place, agent in enumerate(group.get("agents", [])):
            path = f"peer_groups.{alias}.agents[{place}]"
            if agent not in agents:
                yield _told("dangling_reference", f"{path} = {json.dumps(agent)} but agents.{agent} is not configured", path)
            elif channel not in agents[agent]:
                yield _told("invalid_format", f"{path} = {json.dumps(agent)} but agents.{agent}.channels has no entry for {channel}", path)


def _names(config: Config) -> set[str]:
    return {f"{kind}.{alias}" for kind, alias, _ in config.channels}


def _servers(servers: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    seen = set()
    for place, server in enumerate(servers):
        inside, name, transport = f"mcp.servers[{place}]", server.get("name", ""), server.get("transport", "stdio")
        if not name:
            yield _told("required_field_empty", f"{inside}.name must not be empty", f"{inside}.name")
        elif name in seen:
            yield _told("validation_failed", f"mcp.servers contains duplicate name: {name}")
        seen.add(name)
        if transport == "stdio" and not server.get("command"):
            yield _told("validation_failed", f"{inside} with transport=stdio requires non-empty command")
        elif transport != "stdio" and not server.get("url"):
            yield _told("validation_failed", f"{inside} with transport={transport} requires url")
        elif transport != "stdio" and not server["url"].startswith(("http://", "https://")):
            yield _told("validation_failed", f"{inside}.url must use http/https")
