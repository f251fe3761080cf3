"""The JSON of live requests to an agent: pairing, devices, messages, channels' health and provider tests."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from zcplatform.web.inputs import Input


class PairingCode(BaseModel):
    """Given once: it is not stored, and a repeated request makes a new one."""

    code: str
    expires_at: str
    url: str


class Device(BaseModel):
    """As the agent tells it. `is_platform`: the token with which the platform itself talks to the agent."""

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
    """`restarts`: the agent is started again to be rid of the last of them."""

    restarts: bool


class MessageInput(Input):
    text: Annotated[str, Field(min_length=1, max_length=8_000)]


class Reply(BaseModel):
    """What the agent answered. It is the agent's text: treat it as such."""

    text: str
    model: str


class ChannelHealth(BaseModel):
    """`is_ready` null: the agent can not tell whether it listens. `error` is its own words, without the tenant's secrets."""

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
    """`works`: it took the key. `refused`: it did not. `limited`: no credit or too many requests. `odd`: it answered something else.
    `unreachable`: whatever kept an answer from coming. `not_testable`: `detail` says why. `status` is its last HTTP status."""

    result: Literal["works", "refused", "limited", "odd", "unreachable", "not_testable"]
    detail: str
    family: str
    host: str
    status: int | None
    model_listed: bool | None
    tested_at: str
