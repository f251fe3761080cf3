"""Who asks, as read from the database for this one request."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from zcplatform import clock
from zcplatform.core.audit import Entry
from zcplatform.core.roles import Permission, Rights, Role, Visibility
from zcplatform.errors import BadInput, NotAllowed
from zcplatform.ids import TenantId, TokenId, UserId

STEP_UP = timedelta(minutes=10)


class Kind(StrEnum):
    """A person with a session, a token (of a person, or made on the host), a service account of one tenant."""

    USER = "user"
    TOKEN = "token"  # noqa: S105
    SERVICE = "service"


@dataclass(frozen=True)
class Bearer:
    """What a request brought, proven already: a token or a session, by id. `reason` is a super-admin's, in his words."""

    token_id: TokenId | None = None
    session_id: str | None = None
    address: str = ""
    request_id: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Needed:
    """What the route wants of who asks; read again where the change is written."""

    permission: Permission
    step_up: bool = False


@dataclass(frozen=True)
class Actor:
    """`id` is the user's for a session, the token's otherwise. `role` is the one in `tenant_id`, the tenant at hand, where there is one.

    `author` is what rows tell of who did something: the address of a person, also where a token of his did it, so that it can be taken out with him.
    `cap` is the strongest role a token may have anywhere; `maker_user_id` the person a service account can never be stronger than.
    """

    id: str
    kind: Kind
    name: str
    bearer: Bearer
    user_id: UserId | None = None
    is_super_admin: bool = False
    cap: Role = Role.OWNER
    scopes: frozenset[Permission] | None = None
    service_of: TenantId | None = None
    maker_user_id: UserId | None = None
    stepped_up_at: str | None = None
    tenant_id: TenantId | None = None
    role: Role | None = None
    email: str = ""
    """Of the person, if it is one or a token of one."""
    needed: Needed | None = field(default=None, compare=False)
    also_needed: set[Permission] = field(default_factory=set, compare=False)
    """What was asked for besides the route's own permission, so far."""

    @property
    def token_id(self) -> TokenId | None:
        return self.bearer.token_id

    @property
    def session_id(self) -> str | None:
        return self.bearer.session_id

    @property
    def address(self) -> str:
        return self.bearer.address

    @property
    def request_id(self) -> str:
        return self.bearer.request_id

    @property
    def reason(self) -> str:
        return self.bearer.reason

    @property
    def author(self) -> str:
        return self.email or self.name

    @property
    def is_of_host(self) -> bool:
        """A token that root made on the host."""
        return self.kind is Kind.TOKEN and self.user_id is None

    @property
    def rights(self) -> Rights:
        return Rights(self.role, self.is_super_admin, self.scopes)

    @property
    def visibility(self) -> Visibility:
        return Visibility(self.is_super_admin, self.user_id, self.service_of)

    @property
    def audit_role(self) -> str:
        """The role then, as the audit log tells it: what a member's role does not give him is done as a super-admin."""
        permissions = self.also_needed | ({self.needed.permission} if self.needed else set())
        by_role = Rights(self.role, is_super_admin=False)
        if self.is_super_admin and (self.role is None or not all(by_role.allow(permission) for permission in permissions)):
            return "super-admin"
        return self.role or "user"

    @property
    def acts_as_super_admin(self) -> bool:
        """In a tenant, by what no role there gives. Of a token made on the host its name is the reason, where the request gives none."""
        return self.tenant_id is not None and self.audit_role == "super-admin"

    def may(self, permission: Permission) -> bool:
        return self.rights.allow(permission)

    def need(self, permission: Permission) -> None:
        """Raises NotAllowed; BadInput as `need_reason`. For what a route's own permission does not cover."""
        if not self.may(permission):
            raise NotAllowed(
                "access.denied", f"This needs the permission `{permission}`", "docs/reference/permissions.md tells which role has it"
            )
        if self.needed is not None and permission != self.needed.permission:
            self.also_needed.add(permission)
            self.need_reason()

    def need_step_up(self, at: str) -> None:
        """Raises NotAllowed unless the person gave a code within ten minutes. Tokens made on the host are trusted as root is."""
        if self.is_of_host:
            return
        if self.kind is not Kind.USER:
            raise NotAllowed(
                "session.step_up_needed", "No token may do this: it needs a person who just gave a code", "sign in and do it there"
            )
        if self.stepped_up_at is None or self.stepped_up_at < clock.text(clock.parse(at) - STEP_UP):
            raise NotAllowed(
                "session.step_up_needed", "This needs a code that was given within the last 10 minutes", "ask for a code again"
            )

    def need_reason(self) -> None:
        """Raises BadInput for a person who acts in a tenant as a super-admin and does not say why."""
        if self.acts_as_super_admin:
            self.need_reason_elsewhere()

    def need_reason_elsewhere(self) -> None:
        """The same for what is done to tenants where none is at hand."""
        if not self.is_of_host and not self.reason:
            why = "is missing"
            raise BadInput(
                "reason.needed",
                "You act here as a super-admin, not as a member, and give no reason; nothing was done",
                "say why in the header X-Reason (zcplatform --reason TEXT …): the tenant's owners read it in their audit log",
                fields={"X-Reason": why},
            )

    def entry(self, at: str, action: str, subject: str, tenant_id: str = "", **changes: object) -> Entry:
        reason = self.reason or (self.name if self.acts_as_super_admin else "")
        told = {**changes, "reason": reason} if reason else changes
        return Entry(at, self._told(), action, subject, tenant_id, self.audit_role, self.address, "done", told, self.request_id)

    def _told(self) -> str:
        """A person by id only: the log outlives him, and is read with the addresses of those who are still there (`ops.audit`)."""
        by = f" by {self.session_id}" if self.session_id else f" of {self.user_id or self.service_of}" if not self.is_of_host else ""
        return f"{self.id}{by}" if self.kind is Kind.USER else f"{self.id} ({self.name}){by}"
