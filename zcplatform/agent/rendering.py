"""Render the agent's `config.toml` from settings, secrets and what the agent itself added before.

Keys come from this module or the catalog, the TOML writer escapes values, and every secret passes through `seal`, so a value cannot become a
key. What the platform controls (gateway, logs, limits) is not part of the settings.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import tomli_w

from zcplatform.agent import hooks
from zcplatform.agent import policy as ceilings
from zcplatform.agent.agent_settings import CHEAP, EMBEDDING, MAIN, AgentSettings, Channel, Delivery, Job, Provider, to_json
from zcplatform.agent.agent_state import MOST_PEERS, AgentState, group_of
from zcplatform.agent.channels import ChannelType, Use, holds, types
from zcplatform.agent.config_file import LONGEST_FILE
from zcplatform.agent.policy import AGENT, PROFILE, Policy
from zcplatform.agent.providers import FAMILIES, Auth, Price
from zcplatform.agent.runtime import GATEWAY_PORT
from zcplatform.agent.secret_slots import auth_of, secret_slots
from zcplatform.errors import BadInput

PLACEHOLDER = "placeholder"
NO_KEY = "none"
"""Written instead of a missing key where the agent would otherwise use another provider's."""
_HASH = re.compile(r"[0-9a-f]{64}")

Seal = Callable[[str], str]


def document(settings: AgentSettings, secrets: Mapping[str, str], policy: Policy, kept: AgentState, seal: Seal) -> dict[str, Any]:
    """Return the whole configuration. `secrets` are values by slot name; slots without a value are left out."""
    if not all(_HASH.fullmatch(token) for token in kept.paired_tokens):
        raise BadInput("settings.bad_token", "Paired tokens must be SHA-256 hashes in lower-case hexadecimal")
    kept = kept.bounded()
    works = MAIN in settings.providers
    found: dict[str, Any] = {
        "schema_version": 3,
        "tools": {"optional": ["*"]},
        **(_agent(settings, kept) if works else {}),
        "risk_profiles": {PROFILE: _risk(settings, policy)},
        "runtime_profiles": {PROFILE: {"max_actions_per_hour": ceilings.actions_per_hour(settings, policy)}},
        "memory": _memory(settings),
        "cost": _cost(settings, policy),
        "gateway": {
            # This is inside the container. The port is published on the host's loopback address only.
            "host": "0.0.0.0",  # noqa: S104
            "port": GATEWAY_PORT,
            "allow_public_bind": True,
            "require_pairing": True,
            "paired_tokens": [seal(token) for token in kept.paired_tokens],
            "trust_forwarded_headers": True,
            "request_timeout_secs": 300,
            "check_updates": False,
            "allow_self_upgrade": False,
        },
        "observability": {"backend": "prometheus"},
    }
    for slot in secret_slots(settings) if works else ():
        value = secrets.get(slot.name)
        if value:
            _put(found, slot.key, value if slot.is_plain else seal(value))
    if "embedding_provider" in found["memory"]:
        # Without a key here, the agent sends the first provider's key to the embedding server, whoever runs it.
        found["memory"]["embedding_api_key"] = seal(secrets.get(f"providers.{EMBEDDING}.api_key") or NO_KEY)
    return found


def render(settings: AgentSettings, secrets: Mapping[str, str], policy: Policy, kept: AgentState, seal: Seal) -> str:
    text = tomli_w.dumps(document(settings, secrets, policy, kept, seal))
    if len(text) > LONGEST_FILE:
        raise BadInput("settings.too_long", f"The agent's file would be longer than {LONGEST_FILE} characters")
    return text


def path_of(settings: AgentSettings, name: str) -> str | None:
    """Return the path below the tenant's address that the channel's service posts to; None if the service makes no calls."""
    channel = settings.channels[name]
    known = types()[name.partition(".")[0]]
    if known.public is None or not holds(known.public.when, {one.name: one.default for one in known.fields.values()} | channel.options):
        return None
    return known.public.path.format(alias=name.partition(".")[2])


def placeholders(settings: AgentSettings, stored: Mapping[str, object] | frozenset[str]) -> dict[str, str]:
    """Return a placeholder for every stored secret, for the configuration check."""
    return {place.name: PLACEHOLDER for place in secret_slots(settings) if place.name in stored}


def _agent(settings: AgentSettings, kept: AgentState) -> dict[str, Any]:
    """Return the sections that refer to the agent. Without a main provider there is no agent, and nothing may refer to one."""
    models: dict[str, Any] = {}
    for alias, provider in settings.providers.items():
        models.setdefault(provider.family, {})[alias] = _provider(settings, provider)
    channels: dict[str, Any] = {}
    listeners = {one.channel: one for one in hooks.of(to_json(settings).get("channels")).listeners}
    for name, channel in settings.channels.items():
        kind, _, alias = name.partition(".")
        channels.setdefault(kind, {})[alias] = _channel(types()[kind], alias, channel, listeners.get(name))
    agent: dict[str, Any] = {
        "model_provider": _name(settings, MAIN),
        "risk_profile": PROFILE,
        "runtime_profile": PROFILE,
        "memory": {"backend": settings.memory.backend},
    }
    if settings.channels:
        agent["channels"] = list(settings.channels)
    if CHEAP in settings.providers:
        agent["summary_provider"] = agent["classifier_provider"] = _name(settings, CHEAP)
    if settings.mcp:
        agent["mcp_bundles"] = [PROFILE]
    if settings.cron:
        agent["cron_jobs"] = list(settings.cron)
    groups = _groups(settings, kept)
    return {
        "providers": {"models": models},
        "agents": {AGENT: agent},
        **({"channels": channels} if channels else {}),
        **({"peer_groups": groups} if groups else {}),
        **(_servers(settings) if settings.mcp else {}),
        **({"cron": {name: _job(job) for name, job in settings.cron.items()}} if settings.cron else {}),
        **({"heartbeat": _heartbeat(settings)} if settings.heartbeat.enabled else {}),
        **({"sop": {"sops_dir": "shared/sops"}} if any(name.startswith("mqtt.") for name in settings.channels) else {}),
    }


def _name(settings: AgentSettings, alias: str) -> str:
    return f"{settings.providers[alias].family}.{alias}"


def _provider(settings: AgentSettings, provider: Provider) -> dict[str, Any]:
    entry: dict[str, Any] = {"model": provider.model}
    if provider.base_url:
        entry["uri"] = provider.base_url
    if provider.temperature is not None:
        entry["temperature"] = provider.temperature
    if provider.fallbacks:
        entry["fallback"] = [_name(settings, alias) for alias in provider.fallbacks]
    if provider.fallback_models:
        entry["fallback_models"] = list(provider.fallback_models)
    if auth_of(provider) is Auth.REFRESH_TOKEN:
        entry["auth_mode"] = "o_auth"
    for name, known in FAMILIES[provider.family].fields.items():
        if known.fixed is not None:
            entry[name] = known.fixed
        elif name in provider.options:
            entry[name] = _value(provider.options[name])
    return entry


def _channel(known: ChannelType, alias: str, channel: Channel, listener: hooks.Listener | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"enabled": channel.enabled}
    if known.public and known.public.port_field and listener:
        entry[known.public.port_field] = listener.port
        if known.public.path_field:
            entry[known.public.path_field] = listener.inner
    for name, one in known.fields.items():
        if one.fixed is not None:
            if one.unless is None or not holds(one.unless, channel.options):
                entry[name] = one.fixed.format(alias=alias) if isinstance(one.fixed, str) else one.fixed
        elif name in channel.options:
            entry[name] = _value(channel.options[name])
        elif one.preset is not None:
            entry[name] = one.preset
        elif one.required and not one.secret:
            entry[name] = ""
        if one.required and one.secret:
            # Without this key the agent drops the channel. Its value is added with the secrets.
            entry[name] = ""
    return entry


def _value(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _groups(settings: AgentSettings, kept: AgentState) -> dict[str, Any]:
    """Return who may talk to the agent: a group for each channel, named as the agent names it when it admits a person.

    On channels that cannot identify senders, the peers are those whom the agent may write to: its tool `send_via` looks for recipients in groups only.
    """
    groups = {}
    for name, channel in settings.channels.items():
        known = types()[name.partition(".")[0]]
        if (known.gate or channel.peers) and known.use is Use.TALK:
            peers = dict.fromkeys((*channel.peers, *kept.peers.get(name, ())))
            group: dict[str, Any] = {"channel": name, "agents": [AGENT], "external_peers": list(peers)[: 2 * MOST_PEERS]}
            if channel.ignored:
                group["ignore"] = list(channel.ignored)
            groups[group_of(name)] = group
    return groups


def _servers(settings: AgentSettings) -> dict[str, Any]:
    servers = []
    for name, server in settings.mcp.items():
        entry: dict[str, Any] = {"name": name, "transport": server.transport, "url": server.url}
        if server.tool_timeout_s is not None:
            entry["tool_timeout_secs"] = server.tool_timeout_s
        servers.append(entry)
    return {"mcp": {"enabled": True, "servers": servers}, "mcp_bundles": {PROFILE: {"servers": list(settings.mcp)}}}


def _job(job: Job) -> dict[str, Any]:
    if job.cron is not None:
        schedule: dict[str, Any] = {"kind": "cron", "expr": job.cron} | ({"tz": job.timezone} if job.timezone else {})
    elif job.every_s is not None:
        schedule = {"kind": "every", "every_ms": job.every_s * 1000}
    else:
        schedule = {"kind": "at", "at": job.at}
    entry: dict[str, Any] = {"job_type": "agent", "enabled": job.enabled, "prompt": job.prompt, "uses_memory": job.uses_memory}
    if job.model:
        entry["model"] = job.model
    if job.deliver:
        entry["delivery"] = _delivery(job.deliver)
    return {**entry, "schedule": schedule}


def _delivery(deliver: Delivery) -> dict[str, Any]:
    return {"mode": "announce", "channel": deliver.channel, "to": deliver.to}


def _heartbeat(settings: AgentSettings) -> dict[str, Any]:
    beat = settings.heartbeat
    target = {"target": beat.deliver.channel, "to": beat.deliver.to} if beat.deliver else {}
    return {"enabled": True, "agent": AGENT, "interval_minutes": beat.interval_minutes, **target}


def _risk(settings: AgentSettings, policy: Policy) -> dict[str, Any]:
    risk = settings.risk
    entry: dict[str, Any] = {"level": ceilings.level(settings, policy), "workspace_only": True, "block_high_risk_commands": True}
    for name, tools in (
        ("allowed_tools", risk.tools),
        ("excluded_tools", ceilings.excluded_tools(settings, policy) or None),
        ("auto_approve", risk.auto_approve),
        ("always_ask", risk.always_ask or None),
        ("allowed_commands", risk.allowed_commands),
    ):
        if tools is not None:
            entry[name] = list(tools)
    return entry


def _memory(settings: AgentSettings) -> dict[str, Any]:
    memory = settings.memory
    entry: dict[str, Any] = {
        "backend": memory.backend,
        "auto_save": memory.auto_save,
        "conversation_retention_days": memory.conversation_days,
    }
    if EMBEDDING in settings.providers and MAIN in settings.providers and memory.backend == "sqlite":
        entry["embedding_provider"] = _name(settings, EMBEDDING)
        entry["embedding_model"] = settings.providers[EMBEDDING].model
        entry["embedding_dimensions"] = memory.embedding_dimensions
    return entry


def _cost(settings: AgentSettings, policy: Policy) -> dict[str, Any]:
    """Return every known price: cost limits apply only to models with a price."""
    rates: dict[str, Any] = {}
    for provider in settings.providers.values():
        for model in (provider.model, *provider.fallback_models):
            price = ceilings.price(provider.family, model, policy)
            if price is not None:
                rates.setdefault(provider.family, {})[model] = _rates(price)
    return {
        "enabled": True,
        "daily_limit_usd": ceilings.daily_usd(settings, policy),
        "monthly_limit_usd": ceilings.monthly_usd(settings, policy),
        **({"rates": {"providers": {"models": rates}}} if rates else {}),
    }


def _rates(price: Price) -> dict[str, float]:
    known = {
        "input_per_mtok": price.input,
        "output_per_mtok": price.output,
        "cached_input_per_mtok": price.cached_input,
        "cache_write_per_mtok": price.cache_write,
    }
    return {name: value for name, value in known.items() if value is not None}


def _put(document: dict[str, Any], key: tuple[str, ...], value: str) -> None:
    place: Any = document
    for part in key[:-1]:
        place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
    place[key[-1]] = value
