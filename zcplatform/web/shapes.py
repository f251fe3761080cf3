"""The JSON of the API: request bodies (unknown fields are rejected) and responses. docs/openapi.json is generated from it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, SecretStr

from zcplatform.core.holds import HoldKind
from zcplatform.core.tenant import State, Wanted
from zcplatform.web.inputs import Input
from zcplatform.web.lists import ItemPage

Slug = Annotated[str, Field(min_length=1, max_length=64, examples=["acme"], description="a DNS label of 3 to 32 characters")]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]+$")]


class ProviderInput(Input):
    """The model provider of a tenant. A key is write-only and bound to the host it is sent to."""

    family: Annotated[str, Field(min_length=1, max_length=63, examples=["anthropic"])]
    model: Annotated[str, Field(min_length=1, max_length=200)]
    base_url: Annotated[str, Field(max_length=500)] | None = None
    api_key: Annotated[SecretStr, Field(min_length=1, max_length=8_000)] | None = None


class TenantInput(Input):
    slug: Slug
    name: Name | None = None
    plan: Annotated[str, Field(max_length=40)] = "free"
    image: Annotated[str, Field(max_length=300, description="id or reference of an image; without it the default one")] | None = None
    provider: ProviderInput | None = None


class TenantChange(Input):
    """Only what is sent changes."""

    name: Name | None = None
    plan: Annotated[str, Field(max_length=40)] | None = None
    image: Annotated[str, Field(max_length=300)] | None = None
    provider: ProviderInput | None = None


class Suspension(Input):
    """The tenant's members read why."""

    reason: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]+$")]


class ImageInput(Input):
    """`reference` is for pull, `binary` (a path that the settings file allows) for build."""

    source: Literal["pull", "build", "demo"]
    reference: Annotated[str, Field(max_length=300)] | None = None
    binary: Annotated[str, Field(max_length=500)] | None = None
    make_default: bool = False


class Provider(BaseModel):
    family: str
    model: str
    base_url: str | None
    has_key: bool


class ImageName(BaseModel):
    id: str
    reference: str
    agent_version: str | None


class Rejected(BaseModel):
    """The revision or image that was rolled back: the agent rejected it, or did not become healthy with it."""

    revision: int
    image: str | None = None
    """Reference of the image, when it was another one than the one that runs."""
    reason: str


class Hold(BaseModel):
    """A reason that keeps a tenant from running. Several can hold it at once, each lifted by its own cause."""

    kind: HoldKind = Field(description="`suspended`: by the operator. `quota`: a limit of the plan is used up.")
    reason: str = Field(description="In words, for the tenant's members.")
    since: str = Field(description="RFC 3339 time.")
    by: str = Field(description="Who or what recorded it.")


class Tenant(BaseModel):
    id: str
    slug: str
    name: str
    plan: str
    state: State
    reason: str
    next_attempt_at: str | None
    wanted: Wanted
    holds: list[Hold]
    generation: int
    revision: int
    rejected: Rejected | None
    image: ImageName | None
    provider: Provider | None
    has_drift: bool
    """Whether the agent's own file has changes that were neither kept nor discarded."""
    machine: str
    """Name of the machine that the tenant runs on."""
    url: str
    created_at: str
    updated_at: str


class Tenants(ItemPage):
    items: list[Tenant]


class Revision(BaseModel):
    """A revision of the settings. `outcome` is null if it was not run yet."""

    number: int
    author: str
    note: str
    created_at: str
    is_current: bool
    outcome: Literal["good", "rejected"] | None
    reason: str | None


class RevisionWhole(Revision):
    """Secrets are no part of it."""

    settings: dict[str, Any]


class Revisions(ItemPage):
    items: list[Revision]


class Change(BaseModel):
    """A change of one path of the settings; null means no value."""

    path: str
    before: Any
    after: Any


class Diff(BaseModel):
    revision: int
    against: int
    changes: list[Change]


class Problem(BaseModel):
    """An error as RFC 9457 has it, with a code for programs and a hint for people."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str
    fields: dict[str, str]


class OperationError(BaseModel):
    code: str
    detail: str
    hint: str


class Step(BaseModel):
    name: str
    status: Literal["pending", "running", "succeeded", "failed"]
    attempts: int
    started_at: str | None
    finished_at: str | None
    error: str | None


OperationStatus = Literal["waiting", "running", "succeeded", "failed", "superseded"]


class Operation(BaseModel):
    id: str
    kind: str
    status: OperationStatus
    tenant_id: str | None
    image_id: str | None
    reason: str
    attempts: int
    next_attempt_at: str | None
    error: OperationError | None
    requested_by: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    steps: list[Step]
    result: dict[str, Any] | None
    """The result, for operations that return one (image.preflight)."""


class Operations(ItemPage):
    items: list[Operation]


ImageStatus = Literal["preparing", "ready", "lost", "failed", "removing", "removed"]


class Image(BaseModel):
    id: str
    source: Literal["pull", "build", "demo"]
    reference: str
    status: ImageStatus
    image_id: str | None
    digest: str | None
    agent_version: str | None
    asked_version: str | None
    channels: list[str] | None
    size_bytes: int | None
    is_default: bool
    error: str | None
    created_at: str


class Images(ItemPage):
    items: list[Image]
