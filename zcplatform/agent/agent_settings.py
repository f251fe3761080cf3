"""The settings of a tenant's agent: typed, frozen, without secrets. Stored as JSON in revisions. What is not here cannot be set (S-51).

Things with a name are keyed by it, so that the path of a problem is the path of the value (`channels.telegram.main.options.port`) and a
change is a JSON merge patch. Secrets have slots (`secret_slots`); their values are passed to the renderer beside the settings.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from zcplatform.errors import BadInput

LONGEST_JSON = 200_000

Alias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:_?[a-z0-9])*$", max_length=40)]
"""A name that the agent accepts for a provider or job, short enough to be part of a longer name."""
ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,20}\.[a-z0-9](?:_?[a-z0-9])*$", max_length=60)]
"""`type.alias`"""
ServerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[_-]?[a-z0-9])*$", max_length=40)]
HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$")]
"""One line that is not blank."""
Lines = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]
Address = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)]
Tool = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,80}$")]
Option = (
    bool
    | int
    | float
    | Annotated[str, StringConstraints(max_length=20_000)]
    | tuple[Annotated[str, StringConstraints(max_length=2_000)], ...]
)

MAIN = "main"
CHEAP = "cheap"
EMBEDDING = "embedding"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Provider(_Part):
    """The model providers by name. `main` answers; `cheap` (optional) summarizes and classifies; `embedding` serves the memory; others are fallbacks."""

    family: str = Field(max_length=40)
    model: Line
    base_url: Address | None = None
    auth: Literal["key", "none", "refresh_token", "login"] | None = None
    """None: the default of the family."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    fallbacks: tuple[Alias, ...] = Field(default=(), max_length=5)
    """Aliases of providers to try next."""
    fallback_models: tuple[Line, ...] = Field(default=(), max_length=10)
    """Models of the same provider to try next."""
    headers: tuple[HeaderName, ...] = Field(default=(), max_length=20)
    """Names of additional headers. Their values are secrets."""
    options: dict[str, Option] = Field(default_factory=dict, max_length=50)


class Channel(_Part):
    enabled: bool = True
    peers: tuple[Line, ...] = Field(default=(), max_length=1_000)
    """Who may talk to the agent. `*` is everyone."""
    ignored: tuple[Line, ...] = Field(default=(), max_length=1_000)
    """Who is never answered."""
    options: dict[str, Option] = Field(default_factory=dict, max_length=50)


class Risk(_Part):
    level: Literal["readonly", "supervised", "full"] = "supervised"
    tools: tuple[Tool, ...] | None = Field(default=None, max_length=200)
    """The only tools allowed. None: all tools of the agent."""
    excluded_tools: tuple[Tool, ...] = Field(default=(), max_length=200)
    auto_approve: tuple[Tool, ...] | None = Field(default=None, max_length=200)
    """Tools used without approval. None: the agent's own list."""
    always_ask: tuple[Tool, ...] = Field(default=(), max_length=200)
    allowed_commands: tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.+-]{1,40}$")], ...] | None = Field(
        default=None, max_length=200
    )
    """Programs that the shell tool may start. None: the agent's own list."""
    actions_per_hour: int | None = Field(default=None, ge=1, le=1_000_000)


class Cost(_Part):
    daily_usd: float | None = Field(default=None, gt=0, le=1_000_000)
    monthly_usd: float | None = Field(default=None, gt=0, le=1_000_000)


class McpServer(_Part):
    """MCP servers over HTTP. A local program is not supported: it would run with all rights of the container."""

    url: Address
    transport: Literal["http", "sse"] = "http"
    headers: tuple[HeaderName, ...] = Field(default=(), max_length=20)
    """Names only; their values are secrets."""
    tool_timeout_s: int | None = Field(default=None, ge=1, le=3_600)


class Delivery(_Part):
    channel: ChannelName
    to: Line


class Job(_Part):
    """A prompt sent to the agent on a schedule: exactly one of `cron`, `every_s` and `at`."""

    prompt: Annotated[Lines, StringConstraints(min_length=1)]
    cron: Line | None = None
    """Five fields, in `timezone`."""
    timezone: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+/-]{1,64}$")] | None = None
    every_s: int | None = Field(default=None, ge=60, le=31_536_000)
    at: Line | None = None
    """RFC 3339"""
    enabled: bool = True
    model: Line | None = None
    """Another model of the main provider."""
    uses_memory: bool = True
    deliver: Delivery | None = None


class Heartbeat(_Part):
    enabled: bool = False
    interval_minutes: int = Field(default=30, ge=5, le=10_080)
    tasks: tuple[Line, ...] = Field(default=(), max_length=50)
    deliver: Delivery | None = None


class Memory(_Part):
    backend: Literal["sqlite", "markdown", "none"] = "sqlite"
    """Cannot be changed once the memory has content."""
    auto_save: bool = True
    conversation_days: int = Field(default=30, ge=1, le=3_650)
    embedding_dimensions: int = Field(default=1_536, ge=1, le=16_384)


class AgentSettings(_Part):
    providers: dict[Alias, Provider] = Field(default_factory=dict, max_length=20)
    channels: dict[ChannelName, Channel] = Field(default_factory=dict, max_length=50)
    instructions: Lines = ""
    """AGENTS.md in the agent's workspace."""
    risk: Risk = Risk()
    cost: Cost = Cost()
    mcp: dict[ServerName, McpServer] = Field(default_factory=dict, max_length=20)
    cron: dict[Alias, Job] = Field(default_factory=dict, max_length=100)
    heartbeat: Heartbeat = Heartbeat()
    memory: Memory = Memory()

    @field_validator("cron")
    @classmethod
    def _one_schedule(cls, jobs: dict[str, Job]) -> dict[str, Job]:
        for name, job in jobs.items():
            if sum(value is not None for value in (job.cron, job.every_s, job.at)) != 1:
                raise ValueError(f"{name} needs exactly one of cron, every_s and at")
        return jobs


def parse(sent: Mapping[str, Any]) -> AgentSettings:
    """Parse stored settings. Raises BadInput with the path of each value of a wrong type. Also accepts the older form with a single provider."""
    plain = dict(sent)
    if "provider" in plain:
        plain["providers"] = {**plain.get("providers", {}), **({MAIN: plain["provider"]} if plain["provider"] else {})}
        del plain["provider"]
    try:
        text = json.dumps(plain)
    except (TypeError, ValueError) as error:
        raise BadInput("settings.bad", f"The settings are not JSON: {error}") from None
    if len(text) > LONGEST_JSON:
        raise BadInput("settings.too_long", f"The settings are longer than {LONGEST_JSON} characters")
    try:
        return AgentSettings.model_validate_json(text)
    except ValidationError as error:
        found = {_path(one["loc"]): _why(one["type"], one["msg"]) for one in error.errors(include_url=False, include_input=False)}
        raise settings_error(found) from None


def settings_error(found: Mapping[str, str]) -> BadInput:
    """Return one error that lists all problems by path."""
    path, why = next(iter(found.items()))
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return BadInput("settings.bad", f"`{path}` {why}{more}", "Correct the named fields", fields=found)


def to_json(settings: AgentSettings) -> dict[str, Any]:
    """Return the values that differ from the defaults, and for each channel whether it is enabled. `parse` restores the settings."""
    plain = settings.model_dump(mode="json", exclude_defaults=True)
    for name, channel in settings.channels.items():
        plain["channels"][name]["enabled"] = channel.enabled
    return plain


_UNION = {"bool", "int", "float", "constrained-str", "tuple[constrained-str, ...]", "str", "[key]"}


def _path(parts: Iterable[object]) -> str:
    return ".".join(str(part) for part in parts if not (isinstance(part, str) and (part in _UNION or part.startswith("tuple["))))


def _why(kind: str, message: str) -> str:
    match kind:
        case "extra_forbidden":
            return "cannot be set"
        case "missing":
            return "is missing"
        case "string_pattern_mismatch":
            return "is blank or contains characters that are not allowed"
        case "value_error":
            return message.removeprefix("Value error, ")
        case _:
            return message[:1].lower() + message[1:]
