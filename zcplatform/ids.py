"""Ids, and every name that is made from one.

Ids carry their kind and are time-ordered (`ten_` + 10 characters of milliseconds + 12 random ones, Crockford's base 32). Names of
containers, networks, bridges and labels are made only here. Names read from a row are never trusted but computed again.
"""

import hashlib
import re
import secrets
import time
from dataclasses import dataclass
from typing import NewType

TenantId = NewType("TenantId", str)
OperationId = NewType("OperationId", str)
ImageId = NewType("ImageId", str)
TokenId = NewType("TokenId", str)
SecretId = NewType("SecretId", str)
OutboxId = NewType("OutboxId", str)
SessionId = NewType("SessionId", str)
UserId = NewType("UserId", str)
InvitationId = NewType("InvitationId", str)
NodeId = NewType("NodeId", str)

LOCAL = NodeId("local")
"""The machine that the worker itself runs on."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ID = re.compile(r"(ten|op|img|tok|sec|out|ses|usr|inv)_[0-9abcdefghjkmnpqrstvwxyz]{22}")

LABEL_INSTANCE = "io.zcplatform.instance"
LABEL_TENANT = "io.zcplatform.tenant"
LABEL_GENERATION = "io.zcplatform.generation"
LABEL_SPEC = "io.zcplatform.spec"
LABEL_THROWAWAY = "io.zcplatform.check"
"""On a container that only checks a configuration and is removed at once."""


def _base32(number: int, width: int) -> str:
    return "".join(_ALPHABET[(number >> (5 * shift)) & 31] for shift in range(width - 1, -1, -1))


def _new(kind: str) -> str:
    return f"{kind}_{_base32(time.time_ns() // 1_000_000, 10)}{_base32(secrets.randbits(60), 12)}"


def new_tenant_id() -> TenantId:
    return TenantId(_new("ten"))


def new_operation_id() -> OperationId:
    return OperationId(_new("op"))


def new_image_id() -> ImageId:
    return ImageId(_new("img"))


def new_token_id() -> TokenId:
    return TokenId(_new("tok"))


def new_secret_id() -> SecretId:
    return SecretId(_new("sec"))


def new_outbox_id() -> OutboxId:
    return OutboxId(_new("out"))


def new_session_id() -> SessionId:
    return SessionId(_new("ses"))


def new_user_id() -> UserId:
    return UserId(_new("usr"))


def new_invitation_id() -> InvitationId:
    return InvitationId(_new("inv"))


def is_id(value: str) -> bool:
    return _ID.fullmatch(value) is not None


@dataclass(frozen=True)
class Names:
    """The names one installation gives to what it makes on a host."""

    instance: str

    @property
    def bridge_prefix(self) -> str:
        """Two installations on one host never share a firewall rule: `zcp` + three characters of the instance's hash."""
        return "zcp" + hashlib.sha256(self.instance.encode()).hexdigest()[:3]

    def bridge(self, subnet: int) -> str:
        """Of the number of its subnet, so that one range never has two bridges. At most 15 characters, the kernel's limit for a name."""
        return f"{self.bridge_prefix}-{subnet:05d}"

    def container(self, slug: str) -> str:
        return f"{self.instance}-{slug}"

    def check(self, slug: str, purpose: str) -> str:
        """A slug has no dot, so this is never another tenant's container."""
        return f"{self.instance}-{slug}.{purpose}"

    def probe(self, image_id: ImageId) -> str:
        return f"{self.instance}.{image_id}"

    def network(self, slug: str) -> str:
        return f"{self.instance}-{slug}"

    def labels(self, tenant_id: TenantId) -> dict[str, str]:
        return {LABEL_INSTANCE: self.instance, LABEL_TENANT: tenant_id}
