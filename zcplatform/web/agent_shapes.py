"""The JSON of live requests to an agent: pairing, devices, messages, channels' health and provider tests."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from zcplatform.web.inputs import Input


class PairingCode(BaseModel):
    """A pairing code. It is not stored, so a repeated request creates a new one."""

    code: str
    expires_at: str
    url: str


class Device(BaseModel):
    """A paired device, as the agent reports it. `is_platform`: the platform's own token for the agent."""

    id: str
    name: str | None
    kind: str | None
    address: str | None
    paired_at: str | None
    last_seen_at: str | None
    is_platform: bool


class Devices(BaseModel):
    items: list[Device]


class DevicesReset(BaseModel):
    """`restarts`: the agent is restarted to revoke the last of its devices."""

    restarts: bool


class MessageInput(Input):
    text: Annotated[str, Field(min_length=1, max_length=8_000)]


class Reply(BaseModel):
    """The agent's reply. Treat it as untrusted text."""

    text: str
    model: str


class ChannelHealth(BaseModel):
    """The health of a channel. `is_ready` is null if the agent does not report it. `error` is the agent's text, with secrets redacted."""

    name: str
    kind: str
    is_compiled: bool
    is_enabled: bool
    is_ready: bool | None
    status: str
    restarts: int
    error: str | None
    requirements: list[str]


class ChannelsHealth(BaseModel):
    items: list[ChannelHealth]


class ProviderTest(BaseModel):
    """The result of a provider test. `works`: the provider accepted the key. `refused`: it rejected the key. `limited`: no credit, or too many
    requests. `odd`: an unexpected answer. `unreachable`: no answer. `not_testable`: `detail` says why. `status` is the last HTTP status."""

    result: Literal["works", "refused", "limited", "odd", "unreachable", "not_testable"]
    detail: str
    family: str
    host: str
    status: int | None
    model_listed: bool | None
    tested_at: str
