"""Validate settings before they are saved, and report by path everything that the agent or the platform would reject later.

Covers what the agent's strict parser and its own checks reject, what the plan does not allow, what cannot be written into the agent's file
or environment, and settings without any effect. Settings without a problem can be rendered, and their container can be created.
"""

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal

from zcplatform.agent import fields, policy, rendering, workspace
from zcplatform.agent.agent_settings import EMBEDDING, MAIN, AgentSettings, Channel, Job, Provider
from zcplatform.agent.agent_state import MOST_PEER_BYTES, AgentState
from zcplatform.agent.channels import ChannelType, Use, types
from zcplatform.agent.config_file import LONGEST_FILE, MOST_TOKENS
from zcplatform.agent.fields import Field
from zcplatform.agent.policy import LEVELS, Policy
from zcplatform.agent.providers import FAMILIES, Uri
from zcplatform.agent.runtime import ENVIRONMENT
from zcplatform.agent.secret_slots import SecretSlot, needed, secret_slots
from zcplatform.errors import PlatformError

Problems = Iterator[tuple[str, str]]
"""(path, problem): together they read as one sentence."""
LOWEST_USD = Decimal("0.01")
_FALLBACK_DEPTH = 3
_SEALED_OVERHEAD = 75
"""Length of `enc2:`, nonce, tag and quotes."""
_ROOM_FOR_STATE = MOST_TOKENS * (2 * 64 + _SEALED_OVERHEAD) + MOST_PEER_BYTES
"""Characters reserved in the file for what the agent adds."""
_ROOM_FOR_PLAN, _ROOM_FOR_PRICE = 20_000, 200
"""Characters reserved in the file for tools that the plan may exclude later, and for the price of each model."""


def problems(settings: AgentSettings, plan: Policy, stored: Collection[str] | None = None) -> dict[str, str]:
    """Return all problems by path. `stored` are the names of the secrets that have a value (None: do not check them)."""
    found: dict[str, str] = {}
    for part in (
        _providers(settings),
        _channels(settings),
        _limits(settings, plan),
        _servers(settings),
        _jobs(settings),
        _missing(settings, stored),
    ):
        for path, why in part:
            found.setdefault(path, why)
    return found or dict(_unrenderable(settings, plan))


def size_problem(settings: AgentSettings, plan: Policy, secret_lengths: Mapping[str, int]) -> dict[str, str]:
    """Report an agent's file that would be too long with secrets of these lengths (UTF-8 bytes) and what the agent may add."""
    models = [model for one in settings.providers.values() for model in (one.model, *one.fallback_models)]
    size = len(rendering.render(settings, {}, plan, AgentState(), lambda _: "")) + _ROOM_FOR_STATE + _ROOM_FOR_PLAN
    size += sum(_ROOM_FOR_PRICE + len(model) for model in models)
    size += sum(2 * length + _SEALED_OVERHEAD for length in secret_lengths.values())
    return (
        {"settings": f"are too long: the agent's file would have {size} characters of at most {LONGEST_FILE}"}
        if size > LONGEST_FILE
        else {}
    )


def secret_problem(slot: SecretSlot, value: str) -> str | None:
    """Return why a secret's value cannot be used; None if it can. The text never contains the value."""
    is_password = slot.field is not None and "password" in slot.field.name
    odd = fields.unsendable(value, header=slot.is_header, password=is_password, lines=slot.field is not None and slot.field.lines)
    if odd is not None:
        return f"holds {odd}; copy the value again as plain text"
    if slot.field is not None:
        return fields.text_problem(slot.field, value)
    if not value.strip() or not fields.is_plain(value) or len(value) > fields.LONGEST_TEXT:
        return "must be one line of text"
    return None


def cleaned(settings: AgentSettings) -> AgentSettings:
    """Return the settings with servers' addresses stripped of the white space that comes with copying."""
    channels = {}
    for name, channel in settings.channels.items():
        known = types().get(name.partition(".")[0])
        servers = {option for option, field in known.fields.items() if field.names_a_server} if known else set()
        options = {
            option: value.strip() if option in servers and isinstance(value, str) else value for option, value in channel.options.items()
        }
        channels[name] = channel.model_copy(update={"options": options})
    return settings.model_copy(update={"channels": channels})


def addresses(settings: AgentSettings) -> tuple[tuple[str, str], ...]:
    """Return (path, URL or host) of every server that the settings name, for the check of which may be reached."""
    found = [(f"providers.{alias}.base_url", one.base_url) for alias, one in settings.providers.items() if one.base_url]
    found += [(f"mcp.{name}.url", server.url) for name, server in settings.mcp.items()]
    for name, channel in settings.channels.items():
        known = types().get(name.partition(".")[0])
        for option, value in channel.options.items():
            if known and option in known.fields and known.fields[option].names_a_server:
                found.append((f"channels.{name}.options.{option}", str(value)))
    return tuple(found)


def provider_problems(path: str, provider: Provider) -> Problems:
    """Return the problems of one provider by itself, without its key."""
    known = FAMILIES.get(provider.family)
    if known is None:
        yield f"{path}.family", f"{provider.family!r} is not a provider the agent knows"
        return
    if provider.auth and provider.auth not in known.auth:
        yield f"{path}.auth", f"must be one of {', '.join(known.auth)}"
    if known.uri is Uri.NEEDED and not provider.base_url:
        yield f"{path}.base_url", f"{known.label} needs the address of the service"
    if provider.base_url and known.uri is Uri.IGNORED:
        yield f"{path}.base_url", f"{known.label} always uses its own host; use `custom` for another address"
    elif provider.base_url is not None and not fields.is_address(provider.base_url):
        yield f"{path}.base_url", "must be an http or https address without user, password and fragment"
    yield from _options(f"{path}.options", known.fields, provider.options)
    for name, field in known.fields.items():
        if field.needed and not field.secret and not provider.options.get(name):
            yield f"{path}.options.{name}", f"is missing: {known.label} needs it"
    if provider.family == "ollama" and provider.model.endswith(":cloud") and not _is_remote(provider):
        yield f"{path}.model", "a `:cloud` model needs the address of ollama.com or another server"


def _providers(settings: AgentSettings) -> Problems:
    for alias, provider in settings.providers.items():
        path = f"providers.{alias}"
        yield from provider_problems(path, provider)
        for position, other in enumerate(provider.fallbacks):
            if other not in settings.providers or other == alias:
                yield f"{path}.fallbacks.{position}", "is not another provider of this agent"
    yield from _depth(settings)
    regions = {str(one.options.get("region")) for one in settings.providers.values() if one.family == "bedrock"}
    if len(regions) > 1:
        yield "providers", "must all use the same region of Amazon Bedrock"
    if EMBEDDING in settings.providers and settings.memory.backend != "sqlite":
        yield f"providers.{EMBEDDING}", "needs the memory backend `sqlite`"
    if settings.providers and MAIN not in settings.providers:
        yield "providers.main", "is missing: it is the one that answers"


def _is_remote(provider: Provider) -> bool:
    return bool(provider.base_url) and not any(name in str(provider.base_url) for name in ("//localhost", "//127.", "//0.0.0.0", "//[::1]"))


def _depth(settings: AgentSettings) -> Problems:
    """Check the fallbacks: the agent follows them to a depth of three, and drops cycles."""

    def is_deep(alias: str, seen: tuple[str, ...]) -> bool:
        provider = settings.providers.get(alias)
        if alias in seen or len(seen) > _FALLBACK_DEPTH:
            return True
        return provider is not None and any(is_deep(other, (*seen, alias)) for other in provider.fallbacks)

    for alias in settings.providers:
        if is_deep(alias, ()):
            yield f"providers.{alias}.fallbacks", f"lead in a circle, or further than {_FALLBACK_DEPTH} providers"


def _options(path: str, known: Mapping[str, Field], options: Mapping[str, object]) -> Problems:
    for name, value in options.items():
        field = known.get(name)
        if field is None or name == "enabled":
            yield f"{path}.{name}", "is not a setting the agent knows there"
        elif field.closed is not None:
            yield f"{path}.{name}", f"cannot be set: {field.closed}"
        elif field.secret:
            yield f"{path}.{name}", "is a secret: send it as a secret, not with the settings"
        elif (why := fields.problem(field, value)) is not None:
            yield f"{path}.{name}", why


def _channels(settings: AgentSettings) -> Problems:
    for name, channel in settings.channels.items():
        path = f"channels.{name}"
        known = types().get(name.partition(".")[0])
        if known is None:
            yield path, f"{name.partition('.')[0]!r} is not a type of channel the agent knows"
            continue
        if known.use is Use.NONE:
            yield path, f"{known.label} is not available: {known.why_not}"
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


def _peers(path: str, known: ChannelType, channel: Channel) -> Problems:
    if known.use is Use.ANNOUNCE or not known.gate:
        if channel.ignored or (channel.peers and known.peer is None):
            yield f"{path}.peers", f"must be empty: {known.label} does not know its senders, its secret protects it"
    elif channel.enabled and not channel.peers:
        yield f"{path}.peers", f"must name who may talk to the agent: {known.peer}"


def _complete(path: str, known: ChannelType, channel: Channel) -> Problems:
    wanted = needed(known.needs, channel, known.fields)
    for name, field in known.fields.items():
        given = channel.options.get(name, field.default)
        if (field.needed or name in wanted) and not field.secret and given in (None, "", 0, (), []):
            yield f"{path}.options.{name}", f"is missing: {known.label} needs it"
    if known.name == "mqtt":
        url, tls = str(channel.options.get("broker_url", "")), channel.options.get("use_tls", False)
        if url.startswith("mqtts://") is not bool(tls):
            yield f"{path}.options.use_tls", "must be true for mqtts:// and false for mqtt://"


def _limits(settings: AgentSettings, plan: Policy) -> Problems:
    if LEVELS.index(settings.risk.level) > LEVELS.index(plan.most_level):
        yield "risk.level", f"is above what the plan allows ({plan.most_level})"
    if (settings.risk.actions_per_hour or 0) > plan.most_actions_per_hour:
        yield "risk.actions_per_hour", f"is above what the plan allows ({plan.most_actions_per_hour})"
    yield from _money("cost.daily_usd", settings.cost.daily_usd, plan.daily_usd)
    yield from _money("cost.monthly_usd", settings.cost.monthly_usd, plan.monthly_usd)
    for name, tools in (("tools", settings.risk.tools), ("auto_approve", settings.risk.auto_approve)):
        for position, tool in enumerate(tools or ()):
            if tool in plan.excluded_tools:
                yield f"risk.{name}.{position}", "is not in the plan"
    if settings.risk.tools == ():
        yield "risk.tools", "must name a tool; leave it out for all"


def _money(path: str, wanted: float | None, most: float | None) -> Problems:
    if wanted is not None and not _is_cents(wanted):
        yield path, "must be an amount in whole cents, at least 0.01"
    if wanted is not None and most is not None and wanted > most:
        yield path, f"is above what the plan allows ({most:g})"


def _is_cents(usd: float) -> bool:
    amount = Decimal(repr(usd))
    return amount >= LOWEST_USD and amount == round(amount, 2)


def _servers(settings: AgentSettings) -> Problems:
    for name, server in settings.mcp.items():
        if not fields.is_address(server.url):
            yield f"mcp.{name}.url", "must be an http or https address without user, password and fragment"
        if len({header.lower() for header in server.headers}) < len(server.headers):
            yield f"mcp.{name}.headers", "names a header twice"


def _jobs(settings: AgentSettings) -> Problems:
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


def _schedule(path: str, job: Job) -> Problems:
    if job.cron is not None and len(job.cron.split()) != 5:
        yield f"{path}.cron", "must have five fields: minute, hour, day, month, weekday"
    if job.timezone is not None and job.cron is None:
        yield f"{path}.timezone", "is only for `cron`"


def _missing(settings: AgentSettings, stored: Collection[str] | None) -> Problems:
    if stored is None:
        return
    for slot in secret_slots(settings):
        if slot.is_needed and slot.name not in stored:
            yield slot.name, "needs a value"
    for name, channel in settings.channels.items():
        known = types().get(name.partition(".")[0])
        for need in known.needs if known and channel.enabled else ():
            given = {option for option, value in channel.options.items() if value not in ("", (), [])}
            given |= {one.rsplit(".", 1)[1] for one in stored if one.startswith(f"channels.{name}.")}
            if need.any and not any(set(option) <= given for option in need.any):
                yield f"channels.{name}", f"needs {' or '.join(' and '.join(option) for option in need.any)}"


def _unrenderable(settings: AgentSettings, plan: Policy) -> Problems:
    """Report, as a last defence, what passed every rule and still cannot be rendered. A tenant with such settings could not be started."""
    for name, value in policy.environment(settings, plan).items():
        if name not in ENVIRONMENT or ENVIRONMENT[name].fullmatch(value) is None:
            yield "settings", f"cannot be passed to the agent: `{name}` would be {value[:60]!r}"
    try:
        rendering.render(settings, {}, plan, AgentState(), lambda _: "")
        workspace.workspace_files(settings)
    except (PlatformError, ValueError, TypeError, KeyError) as error:
        yield "settings", f"cannot be written into the agent's file ({type(error).__name__})"
