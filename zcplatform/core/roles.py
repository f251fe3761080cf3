"""The table of permissions, with the lowest role that has each of them.

A member has one role in a tenant, and each role includes the ones before it. A super-admin has every permission everywhere. Permissions
that do not concern one tenant belong to everyone who is signed in, or to super-admins only. docs/reference/permissions.md is made from it.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Roles of a member in a tenant, weakest first."""

    VIEWER = "viewer"
    CONTRIBUTOR = "contributor"
    MANAGER = "manager"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        return list(Role).index(self)


class Standing(StrEnum):
    """Who has a permission that does not concern one tenant."""

    SIGNED_IN = "signed in"
    SUPER_ADMIN = "super-admin"


class Permission(StrEnum):
    SELF_READ = "self.read"
    SELF_MANAGE = "self.manage"
    IMAGE_READ = "image.read"
    PLAN_READ = "plan.read"
    CATALOG_READ = "catalog.read"

    TENANT_READ = "tenant.read"
    EVENTS_READ = "events.read"
    OPERATION_READ = "operation.read"
    MEMBER_READ = "member.read"
    CHANNEL_READ = "channel.read"
    USAGE_READ = "usage.read"

    LOGS_READ = "logs.read"
    CONFIG_READ = "config.read"
    CONFIG_WRITE = "config.write"
    MESSAGE_SEND = "message.send"
    TENANT_DEPLOY = "tenant.deploy"
    DEVICE_READ = "device.read"

    TENANT_UPDATE = "tenant.update"
    SECRET_WRITE = "secret.write"  # noqa: S105
    CHANNEL_WRITE = "channel.write"
    PROVIDER_TEST = "provider.test"
    PAIRING_READ = "pairing.read"
    DEVICE_MANAGE = "device.manage"
    MEMBER_MANAGE = "member.manage"
    TOKEN_MANAGE = "token.manage"  # noqa: S105

    TENANT_DELETE = "tenant.delete"
    TENANT_EXPORT = "tenant.export"
    OWNER_CHANGE = "owner.change"
    AUDIT_READ = "audit.read"

    TENANT_CREATE = "tenant.create"
    TENANT_PLAN = "tenant.plan"
    TENANT_SUSPEND = "tenant.suspend"
    IMAGE_MANAGE = "image.manage"
    PLAN_MANAGE = "plan.manage"
    USER_MANAGE = "user.manage"
    METRICS_READ = "metrics.read"
    LOOP_READ = "loop.read"
    AUDIT_READ_ALL = "audit.read_all"
    KEY_ROTATE = "key.rotate"


_P = Permission
REQUIRED: Mapping[Permission, Role | Standing] = {
    **dict.fromkeys((_P.SELF_READ, _P.SELF_MANAGE, _P.IMAGE_READ, _P.PLAN_READ, _P.CATALOG_READ), Standing.SIGNED_IN),
    **dict.fromkeys(
        (_P.TENANT_READ, _P.EVENTS_READ, _P.OPERATION_READ, _P.MEMBER_READ, _P.USAGE_READ),
        Role.VIEWER,
    ),
    **dict.fromkeys(
        (_P.LOGS_READ, _P.CONFIG_READ, _P.CHANNEL_READ, _P.CONFIG_WRITE, _P.MESSAGE_SEND, _P.TENANT_DEPLOY, _P.DEVICE_READ),
        Role.CONTRIBUTOR,
    ),
    **dict.fromkeys(
        (
            _P.TENANT_UPDATE,
            _P.SECRET_WRITE,
            _P.CHANNEL_WRITE,
            _P.PROVIDER_TEST,
            _P.PAIRING_READ,
            _P.DEVICE_MANAGE,
            _P.MEMBER_MANAGE,
            _P.TOKEN_MANAGE,
        ),
        Role.MANAGER,
    ),
    **dict.fromkeys((_P.TENANT_DELETE, _P.TENANT_EXPORT, _P.OWNER_CHANGE, _P.AUDIT_READ), Role.OWNER),
    **dict.fromkeys(
        (
            _P.TENANT_CREATE,
            _P.TENANT_PLAN,
            _P.TENANT_SUSPEND,
            _P.IMAGE_MANAGE,
            _P.PLAN_MANAGE,
            _P.USER_MANAGE,
            _P.METRICS_READ,
            _P.LOOP_READ,
            _P.AUDIT_READ_ALL,
            _P.KEY_ROTATE,
        ),
        Standing.SUPER_ADMIN,
    ),
}
AUDITED_READS: Set[Permission] = {
    _P.LOGS_READ, _P.CONFIG_READ, _P.CHANNEL_READ, _P.MEMBER_READ, _P.MEMBER_MANAGE, _P.TOKEN_MANAGE, _P.DEVICE_READ, _P.AUDIT_READ,
}  # fmt: skip
"""Reads under these permissions are audited when the caller is a super-admin who is not a member of the tenant. Changes are always audited."""


@dataclass(frozen=True)
class Rights:
    """What a caller may do: by their role in the request's tenant (None: not a member, or no tenant), as a super-admin, within a token's scopes.

    `scopes` None means no limit beyond the role's.
    """

    role: Role | None
    is_super_admin: bool
    scopes: frozenset[Permission] | None = None

    def allow(self, permission: Permission) -> bool:
        if permission is Permission.SELF_READ:
            return True
        if self.scopes is not None and permission not in self.scopes:
            return False
        least = REQUIRED[permission]
        if self.is_super_admin or least is Standing.SIGNED_IN:
            return True
        return isinstance(least, Role) and self.role is not None and self.role.rank >= least.rank


@dataclass(frozen=True)
class Visibility:
    """Which tenants a caller sees: all, those they are a member of, or one."""

    everything: bool
    user_id: str | None
    tenant_id: str | None


def is_of_tenant(permission: Permission) -> bool:
    """Whether the permission belongs to a role in a tenant."""
    return isinstance(REQUIRED[permission], Role)


def weaker(first: Role | None, second: Role | None) -> Role | None:
    """Return the weaker of two roles; None means no role."""
    return None if first is None or second is None else min(first, second, key=lambda role: role.rank)
