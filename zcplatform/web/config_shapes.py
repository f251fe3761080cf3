"""The JSON of a tenant's settings, channels and secrets, and of the catalog that forms are made from."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, SecretStr

from zcplatform.web.inputs import Input

Note = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]*$")]
SecretValue = Annotated[SecretStr, Field(min_length=1, max_length=8_000)]
PlaceName = Annotated[str, Field(min_length=1, max_length=200)]


class ConfigChange(Input):
    """`settings` is a JSON merge patch: only what is sent changes, null removes. `secrets` maps names of secrets to values."""

    settings: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[PlaceName, SecretValue] = Field(default_factory=dict)
    note: Note | None = None


class RollBack(Input):
    """`secrets` are those that the older settings need and that were deleted, or are stored for another server."""

    secrets: dict[PlaceName, SecretValue] = Field(default_factory=dict)
    note: Note | None = None


class SecretPlace(BaseModel):
    """A secret that the settings have room for. Its value is never returned."""

    name: str
    """Its path in the settings."""
    host: str | None
    """The one server it may be sent to, with its scheme."""
    is_needed: bool
    is_stored: bool
    error: str | None
    updated_at: str | None
    """When the stored value was set."""
    hint: str | None
    """Its last four characters, for those who may set it (`secret.write`); null for one of less than 16."""


class Secrets(BaseModel):
    items: list[SecretPlace]


class SecretInput(Input):
    value: SecretValue


class Config(BaseModel):
    """Everything that may be set, with its defaults."""

    revision: int
    settings: dict[str, Any]
    secrets: list[SecretPlace]
    unpriced: list[str]
    """`family/model` of models without a price: cost limits do not bind them."""


class ChannelChange(Input):
    """Only what is sent changes. `options` are the fields of the type, `secrets` those that are secret, by the same names."""

    enabled: bool | None = None
    peers: list[str] | None = None
    ignored: list[str] | None = None
    options: dict[str, Any] | None = None
    secrets: dict[Annotated[str, Field(max_length=100)], SecretValue] = Field(default_factory=dict)


class ChannelInput(ChannelChange):
    type: Annotated[str, Field(max_length=40, examples=["telegram"])]
    alias: Annotated[str, Field(max_length=40, pattern=r"^[a-z0-9](?:_?[a-z0-9])*$")] = "main"


class Channel(BaseModel):
    name: str
    """`type.alias`"""
    type: str
    alias: str
    label: str
    enabled: bool
    peers: list[str]
    ignored: list[str]
    options: dict[str, Any]
    secrets: dict[str, bool]
    """Which of the channel's secrets have a value."""
    webhook_url: str | None
    """The address to enter at the other service, for channels that are called; null for those that call, and while disabled."""


class Channels(BaseModel):
    items: list[Channel]
    most: int
    """How many channels the plan allows."""


class FieldShape(BaseModel):
    name: str
    type: str
    help: str
    is_secret: bool
    is_needed: bool
    default: Any
    choices: list[str]


class Family(BaseModel):
    """`auth` begins with the usual form; `base_url` is needed, honoured or ignored.

    `test` names how a key is tested; null, with a reason, if it cannot be.
    """

    name: str
    label: str
    auth: list[str]
    base_url: str
    default_base_url: str | None
    models: list[str]
    fields: list[FieldShape]
    test: str | None
    test_reason: str | None
    note: str | None


class Families(BaseModel):
    items: list[Family]


class ChannelType(BaseModel):
    """`use` is talk, announce (only sends) or none, with the reason. `peer` is what identifies a person there."""

    name: str
    label: str
    use: str
    why_not: str | None
    link: str | None
    steps: list[str]
    peer: str | None
    peer_example: str | None
    compiled: str
    fields: list[FieldShape]


class ChannelTypes(BaseModel):
    items: list[ChannelType]


class DriftChange(BaseModel):
    """A change of one path; null means no value. `can_be_kept`: the settings have a place for it."""

    path: str
    rendered: Any
    found: Any
    can_be_kept: bool


class Drift(BaseModel):
    """Changes in the agent's own file that were neither kept nor discarded."""

    revision: int | None
    found_at: str | None
    changes: list[DriftChange]
