"""The actor of a request, as read from the database for this one request."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum

from zcplatform import clock
from zcplatform.core.audit import Entry
from zcplatform.core.roles import REQUIRED, Permission, Rights, Role, Visibility
from zcplatform.errors import BadInput, NotAllowed
from zcplatform.ids import TenantId, TokenId, UserId

STEP_UP = timedelta(minutes=10)


class ActorKind(StrEnum):
    """A person with a session, a token (of a person, or made on the host), or the service account of one tenant."""

    USER = "user"
    TOKEN = "token"  # noqa: S105
    SERVICE = "service"


@dataclass(frozen=True)
class Bearer:
    """The token or session of a request, already verified, by id. `reason` is the text that a super-admin gave for this request."""

    token_id: TokenId | None = None
    session_id: str | None = None
    address: str = ""
    request_id: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Needed:
    """What a route requires of the caller. It is checked again in the transaction that writes the change."""

    permission: Permission
    step_up: bool = False


@dataclass(frozen=True)
class Actor:
    """`id` is the user's for a session, otherwise the token's. `role` is the one in `tenant_id`, the tenant of this request, if there is one.

    `author` is the name that rows show: a person's address, also for their tokens, so that it can be erased with the person.
    `cap` is the strongest role a token may have anywhere. A service account is never stronger than the person in `maker_user_id`.
    """

    id: str
    kind: ActorKind
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
    also_needed: frozenset[Permission] = field(default=frozenset(), compare=False)
    """Permissions of parts of the request, besides the route's own."""

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
        """Whether this is a token that root created on the host."""
        return self.kind is ActorKind.TOKEN and self.user_id is None

    @property
    def rights(self) -> Rights:
        return Rights(self.role, self.is_super_admin, self.scopes)

    @property
    def visibility(self) -> Visibility:
        return Visibility(self.is_super_admin, self.user_id, self.service_of)

    @property
    def audit_role(self) -> str:
        """The role that the audit log shows. What a member's own role does not allow is done as a super-admin."""
        permissions = self.also_needed | ({self.needed.permission} if self.needed else set())
        by_role = Rights(self.role, is_super_admin=False)
        if self.is_super_admin and (self.role is None or not all(by_role.allow(permission) for permission in permissions)):
            return "super-admin"
        return self.role or "user"

    @property
    def acts_as_super_admin(self) -> bool:
        """Whether the actor does something in a tenant that their role there does not allow."""
        return self.tenant_id is not None and self.audit_role == "super-admin"

    def may(self, permission: Permission) -> bool:
        return self.rights.allow(permission)

    def need(self, permission: Permission) -> None:
        """Raises NotAllowed."""
        if not self.may(permission):
            raise NotAllowed("access.denied", self._lacks(permission), "docs/reference/permissions.md shows which role has it")

    def _lacks(self, permission: Permission) -> str:
        least = REQUIRED[permission]
        if self.role is None or not isinstance(least, Role) or self.role.rank >= least.rank:
            return f"This needs the permission `{permission}`"
        whose = "Your role" if self.kind is ActorKind.USER else "The role of this token"
        return f"{whose} in this tenant is {self.role}; this needs at least {least} (permission `{permission}`)"

    def requiring(self, *permissions: Permission) -> "Actor":
        """The actor with permissions that the route's own does not cover. Raises NotAllowed, and BadInput as `need_reason` does."""
        for permission in permissions:
            self.need(permission)
        if self.needed is None:
            return self
        others = frozenset(permission for permission in permissions if permission != self.needed.permission)
        actor = replace(self, also_needed=self.also_needed | others)
        if others:
            actor.need_reason()
        return actor

    def need_step_up(self, at: str) -> None:
        """Raises NotAllowed unless the person entered a code within ten minutes. Tokens created on the host are trusted like root."""
        if self.is_of_host:
            return
        if self.kind is not ActorKind.USER:
            raise NotAllowed(
                "session.step_up_needed", "Tokens cannot do this: it needs a person who has just entered a code", "sign in and do it there"
            )
        if self.stepped_up_at is None or self.stepped_up_at < clock.text(clock.parse(at) - STEP_UP):
            raise NotAllowed(
                "session.step_up_needed", "This needs a code that was entered within the last 10 minutes", "request a new code and enter it"
            )

    def need_reason(self) -> None:
        """Raises BadInput for a person who acts in a tenant as a super-admin without a reason."""
        if self.acts_as_super_admin:
            self.need_reason_elsewhere()

    def need_reason_elsewhere(self) -> None:
        """The same for a request that affects tenants but names none."""
        if not self.is_of_host and not self.reason:
            why = "is missing"
            raise BadInput(
                "reason.needed",
                "You act here as a super-admin, not as a member, so a reason is required; nothing was done",
                "send it in the header X-Reason (zcplatform --reason TEXT …); the tenant's owners see it in their audit log",
                fields={"X-Reason": why},
            )

    def entry(self, at: str, action: str, subject: str, tenant_id: str = "", **changes: object) -> Entry:
        """An audit entry. For a token made on the host its name is the reason, where the request gives none."""
        reason = self.reason or (self.name if self.acts_as_super_admin else "")
        noted = {**changes, "reason": reason} if reason else changes
        return Entry(at, self._name_in_audit(), action, subject, tenant_id, self.audit_role, self.address, "done", noted, self.request_id)

    def _name_in_audit(self) -> str:
        """A person by id only: the log outlives them. It is shown with the addresses of those who still exist (`ops.audit`)."""
        by = f" by {self.session_id}" if self.session_id else f" of {self.user_id or self.service_of}" if not self.is_of_host else ""
        return f"{self.id}{by}" if self.kind is ActorKind.USER else f"{self.id} ({self.name}){by}"
