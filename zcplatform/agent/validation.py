"""Whether settings make sense to the agent and stay within a plan: everything its own strict parse and its checks would refuse, and what would
not serve anybody. Nothing is stored before there are no problems left."""

from collections.abc import Collection, Iterator, Mapping

from zcplatform.agent import fields
from zcplatform.agent.agent_settings import EMBEDDING, MAIN, AgentSettings, Channel, Job, Provider
from zcplatform.agent.channels import ChannelType, Use, types
from zcplatform.agent.fields import Field
from zcplatform.agent.policy import LEVELS, Policy
from zcplatform.agent.providers import FAMILIES, Uri
from zcplatform.agent.secret_slots import SecretSlot, needed, secret_slots

Found = Iterator[tuple[str, str]]
_FALLBACK_DEPTH = 3


def problems(settings: AgentSettings, policy: Policy, stored: Collection[str] | None = None) -> dict[str, str]:
    """What is wrong, by path; empty when nothing is. `stored` are the names of the secrets that are there (None: not asked)."""
    found: dict[str, str] = {}
    for part in (
        _providers(settings),
        _channels(settings),
        _policy(settings, policy),
        _servers(settings),
        _jobs(settings),
        _missing(settings, stored),
    ):
        for path, why in part:
            found.setdefault(path, why)
    return found


def value_problem(place: SecretSlot, value: str) -> str | None:
    """Why a secret's value can not be used; None when it can."""
    if place.field is not None:
        return fields.text_problem(place.field, value)
    if not value.strip() or not fields.is_plain(value) or len(value) > fields.LONGEST_TEXT:
        return "must be one line of text"
    return None


def addresses(settings: AgentSettings) -> tuple[tuple[str, str], ...]:
    """Path and URL of every server somebody named, for whoever decides which may be reached."""
    found = [(f"providers.{alias}.base_url", one.base_url) for alias, one in settings.providers.items() if one.base_url]
    found += [(f"mcp.{name}.url", server.url) for name, server in settings.mcp.items()]
    for name, channel in settings.channels.items():
        known = types().get(name.partition(".")[0])
        for option, value in channel.options.items():
            if (
                known
                and option in known.fields
                and known.fields[option].check in (fields.Check.URL, fields.Check.HOST, fields.Check.BROKER)
            ):
                found.append((f"channels.{name}.options.{option}", str(value)))
    return tuple(found)


def _providers(settings: AgentSettings) -> Found:
    for alias, provider in settings.providers.items():
        path = f"providers.{alias}"
        known = FAMILIES.get(provider.family)
        if known is None:
            yield f"{path}.family", f"{provider.family!r} is not a provider the agent knows"
            continue
        yield from _provider(path, provider)
        for position, other in enumerate(provider.fallbacks):
            if other not in settings.providers or other == alias:
                yield f"{path}.fallbacks.{position}", "is not another provider of this agent"
    yield from _depth(settings)
    regions = {str(one.options.get("region")) for one in settings.providers.values() if one.family == "bedrock"}
    if len(regions) > 1:
        yield "providers", "can not be of more than one region of Amazon Bedrock"
    if EMBEDDING in settings.providers and settings.memory.backend != "sqlite":
        yield f"providers.{EMBEDDING}", "is for the memory `sqlite` only"
    if settings.providers and MAIN not in settings.providers:
        yield "providers.main", "is missing: it is the one that answers"


def _provider(path: str, provider: Provider) -> Found:
    known = FAMILIES[provider.family]
    if provider.auth and provider.auth not in known.auth:
        yield f"{path}.auth", f"must be one of {', '.join(known.auth)}"
    if known.uri is Uri.NEEDED and not provider.base_url:
        yield f"{path}.base_url", f"{known.label} needs the address of the service"
    if provider.base_url and known.uri is Uri.IGNORED:
        yield f"{path}.base_url", f"{known.label} always talks to its own host; use `custom` for another address"
    elif provider.base_url is not None and not fields.is_address(provider.base_url):
        yield f"{path}.base_url", "must be an http or https address without user, password and fragment"
    yield from _options(f"{path}.options", known.fields, provider.options)
    for name, field in known.fields.items():
        if field.needed and not field.secret and not provider.options.get(name):
            yield f"{path}.options.{name}", f"{known.label} needs it"
    if provider.family == "ollama" and provider.model.endswith(":cloud") and not _is_remote(provider):
        yield f"{path}.model", "a `:cloud` model needs the address of ollama.com or another server"


def _is_remote(provider: Provider) -> bool:
    return bool(provider.base_url) and not any(name in str(provider.base_url) for name in ("//localhost", "//127.", "//0.0.0.0", "//[::1]"))


def _depth(settings: AgentSettings) -> Found:
    """The agent follows three fallbacks of fallbacks, and drops what leads in a circle."""

    def deep(alias: str, seen: tuple[str, ...]) -> bool:
        provider = settings.providers.get(alias)
        if alias in seen or len(seen) > _FALLBACK_DEPTH:
            return True
        return provider is not None and any(deep(other, (*seen, alias)) for other in provider.fallbacks)

    for alias in settings.providers:
        if deep(alias, ()):
            yield f"providers.{alias}.fallbacks", f"lead in a circle, or further than {_FALLBACK_DEPTH} providers"


def _options(path: str, known: Mapping[str, Field], options: Mapping[str, object]) -> Found:
    for name, value in options.items():
        field = known.get(name)
        if field is None or name == "enabled":
            yield f"{path}.{name}", "is not a setting the agent knows there"
        elif field.closed is not None:
            yield f"{path}.{name}", f"can not be set: {field.closed}"
        elif field.secret:
            yield f"{path}.{name}", "is a secret: it is stored for itself, not in the settings"
        elif (why := fields.problem(field, value)) is not None:
            yield f"{path}.{name}", why


def _channels(settings: AgentSettings) -> Found:
    for name, channel in settings.channels.items():
        path = f"channels.{name}"
        known = types().get(name.partition(".")[0])
        if known is None:
            yield path, f"{name.partition('.')[0]!r} is not a type of channel the agent knows"
            continue
        if known.use is Use.NONE:
            yield path, f"{known.label} can not be offered: {known.why_not}"
            continue
        yield from _options(f"{path}.options", known.fields, channel.options)
        yield from _peers(path, known, channel)
        if channel.enabled:
            yield from _complete(path, known, channel)
    for kind in {name.partition(".")[0] for name in settings.channels}:
        enabled = [name for name, one in settings.channels.items() if one.enabled and name.partition(".")[0] == kind]
        if len(enabled) > 1 and kind in types() and types()[kind].only_one:
            yield f"channels.{enabled[1]}", f"the agent serves only one enabled channel of the type {kind}"
    if any(channel.enabled for channel in settings.channels.values()) and MAIN not in settings.providers:
        yield "providers.main", "is missing: without it no channel is answered"


def _peers(path: str, known: ChannelType, channel: Channel) -> Found:
    if known.use is Use.ANNOUNCE or not known.gate:
        if channel.ignored or (channel.peers and known.peer is None):
            yield f"{path}.peers", f"{known.label} knows no senders: its secret is the gate"
    elif channel.enabled and not channel.peers:
        yield f"{path}.peers", f"must name who is let in: {known.peer}"


def _complete(path: str, known: ChannelType, channel: Channel) -> Found:
    wanted = needed(known.needs, channel, known.fields)
    for name, field in known.fields.items():
        given = channel.options.get(name, field.default)
        if (field.needed or name in wanted) and not field.secret and given in (None, "", 0, (), []):
            yield f"{path}.options.{name}", f"{known.label} needs it"
    if known.name == "mqtt":
        url, tls = str(channel.options.get("broker_url", "")), channel.options.get("use_tls", False)
        if url.startswith("mqtts://") is not bool(tls):
            yield f"{path}.options.use_tls", "must be true for mqtts:// and false for mqtt://"


def _policy(settings: AgentSettings, policy: Policy) -> Found:
    if LEVELS.index(settings.risk.level) > LEVELS.index(policy.most_level):
        yield "risk.level", f"is above what the plan allows ({policy.most_level})"
    if (settings.risk.actions_per_hour or 0) > policy.most_actions_per_hour:
        yield "risk.actions_per_hour", f"is above what the plan allows ({policy.most_actions_per_hour})"
    for name, wanted, most in (
        ("daily_usd", settings.cost.daily_usd, policy.daily_usd),
        ("monthly_usd", settings.cost.monthly_usd, policy.monthly_usd),
    ):
        if wanted is not None and most is not None and wanted > most:
            yield f"cost.{name}", f"is above what the plan allows ({most:g})"
    for name, tools in (("tools", settings.risk.tools), ("auto_approve", settings.risk.auto_approve)):
        for position, tool in enumerate(tools or ()):
            if tool in policy.excluded_tools:
                yield f"risk.{name}.{position}", "is not in the plan"
    if settings.risk.tools == ():
        yield "risk.tools", "must name a tool; leave it out for all"


def _servers(settings: AgentSettings) -> Found:
    for name, server in settings.mcp.items():
        if not fields.is_address(server.url):
            yield f"mcp.{name}.url", "must be an http or https address without user, password and fragment"
        if len({header.lower() for header in server.headers}) < len(server.headers):
            yield f"mcp.{name}.headers", "names a header twice"


def _jobs(settings: AgentSettings) -> Found:
    for name, job in settings.cron.items():
        path = f"cron.{name}"
        yield from _schedule(path, job)
        if job.deliver and job.deliver.channel not in settings.channels:
            yield f"{path}.deliver.channel", "is not a channel of this agent"
    beat = settings.heartbeat
    if beat.deliver and beat.deliver.channel not in settings.channels:
        yield "heartbeat.deliver.channel", "is not a channel of this agent"
    if beat.enabled and MAIN not in settings.providers:
        yield "heartbeat.enabled", "needs the provider `main`"
    if settings.cron and MAIN not in settings.providers:
        yield "cron", "needs the provider `main`"


def _schedule(path: str, job: Job) -> Found:
    if job.cron is not None and len(job.cron.split()) != 5:
        yield f"{path}.cron", "must have five fields: minute, hour, day, month, weekday"
    if job.timezone is not None and job.cron is None:
        yield f"{path}.timezone", "is only for `cron`"


def _missing(settings: AgentSettings, stored: Collection[str] | None) -> Found:
    if stored is None:
        return
    for place in secret_slots(settings):
        if place.is_needed and place.name not in stored:
            yield place.path, "needs a value"
    for name, channel in settings.channels.items():
        known = types().get(name.partition(".")[0])
        for need in known.needs if known and channel.enabled else ():
            given = {option for option, value in channel.options.items() if value not in ("", (), [])}
            given |= {one.rsplit(".", 1)[1] for one in stored if one.startswith(f"channel.{name}.")}
            if need.any and not any(set(option) <= given for option in need.any):
                yield f"channels.{name}", f"needs {' or '.join(' and '.join(option) for option in need.any)}"
