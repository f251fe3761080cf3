"""The JSON of people: users, members, invitations, tokens, plans."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from zcplatform.core.roles import Permission, Role
from zcplatform.ops.actor import ActorKind
from zcplatform.web.inputs import Input, Pasted
from zcplatform.web.lists import ItemPage
from zcplatform.web.shapes import Name

Email = Annotated[str, Pasted, Field(min_length=3, max_length=254, examples=["ada@example.com"])]
PersonName = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]*$")]
Count = Annotated[int, Field(ge=0, le=2**53)]


class UserInput(Input):
    email: Email
    name: PersonName = ""
    is_super_admin: bool = False


class UserChange(Input):
    """Only what is sent changes."""

    name: PersonName | None = None
    disabled: bool | None = None
    is_super_admin: bool | None = None


class User(BaseModel):
    id: str
    email: str
    name: str
    is_super_admin: bool
    disabled_at: str | None
    created_at: str


class OneUser(User):
    """`only_owner_of`: slugs of the tenants that have no other owner who can sign in."""

    only_owner_of: list[str]


class Users(ItemPage):
    items: list[User]


class MeChange(Input):
    name: PersonName


class Me(BaseModel):
    """The caller. `user` is null for tokens that belong to no person; `scopes` is null for a token without limits of its own."""

    id: str
    kind: ActorKind
    name: str
    is_super_admin: bool
    scopes: list[Permission] | None
    user: User | None


class MyTenant(BaseModel):
    id: str
    slug: str
    name: str
    state: str
    role: Role


class MyTenants(BaseModel):
    items: list[MyTenant]


class MemberInput(Input):
    """The address is invited; it becomes a member when its owner accepts."""

    email: Email
    role: Role = Role.VIEWER


class RoleChange(Input):
    role: Role


class OwnerChange(Input):
    user_id: Annotated[str, Field(max_length=254, description="id or address")]


class Member(BaseModel):
    user_id: str
    email: str
    name: str
    role: Role
    disabled_at: str | None
    created_at: str


class Members(ItemPage):
    items: list[Member]


class Invitation(BaseModel):
    id: str
    email: str
    role: Role
    inviter: str
    created_at: str
    expires_at: str


class CreatedInvitation(Invitation):
    """`link` is set only if no mail is configured: pass it to the person yourself. It works for the invited address only."""

    link: str | None


class Invitations(ItemPage):
    items: list[Invitation]


class InvitationToken(Input):
    token: Annotated[str, Pasted, Field(min_length=1, max_length=100)]


class AcceptedInvitation(BaseModel):
    tenant_id: str
    role: Role


class TokenInput(Input):
    """`role` and `scopes` limit what it may do. It may never do more than its creator may at that time."""

    name: Name
    days: Annotated[int, Field(ge=1, le=365)] = 90
    role: Role | None = None
    scopes: Annotated[list[Permission], Field(min_length=1, max_length=100)] | None = None


class ServiceTokenInput(TokenInput):
    role: Role = Role.VIEWER


class Token(BaseModel):
    """A token, without its value. `hint` is how it begins."""

    id: str
    name: str
    hint: str
    role: Role | None
    scopes: list[Permission] | None
    created_at: str
    expires_at: str
    last_used_at: str | None
    revoked_at: str | None


class CreatedToken(Token):
    """A new token. `token` is shown only this once."""

    token: str


class Tokens(ItemPage):
    items: list[Token]


class Plan(BaseModel):
    """A plan's limits in bytes, thousandths of a core and counts; money in millionths of a dollar. 0 per month or day means none."""

    name: str
    memory_bytes: int
    cpu_millis: int
    pids: int
    disk_bytes: int
    channels: int
    members: int
    agents: int
    messages_day: int
    tokens_month: int
    dollars_month_micros: int
    most_level: Literal["readonly", "supervised", "full"]
    excluded_tools: list[str]
    actions_per_hour: int


class PlanChange(Input):
    """Only what is sent changes."""

    memory_bytes: Count | None = None
    cpu_millis: Count | None = None
    pids: Count | None = None
    disk_bytes: Count | None = None
    channels: Count | None = None
    members: Count | None = None
    agents: Count | None = None
    messages_day: Count | None = None
    tokens_month: Count | None = None
    dollars_month_micros: Count | None = None
    most_level: Literal["readonly", "supervised", "full"] | None = None
    excluded_tools: Annotated[list[Annotated[str, Field(max_length=80, pattern=r"^[A-Za-z0-9_.:-]+$")]], Field(max_length=200)] | None = (
        None
    )
    actions_per_hour: Count | None = None


class Plans(BaseModel):
    items: list[Plan]
