"""Event kinds with their meaning. An event says what became true; its data are scalars."""

from collections.abc import Mapping

EVENTS: Mapping[str, str] = {
    "image.rolled_back": "A tenant returned to its last good image, because the new one was rejected or did not become healthy.",
    "image.status": "An image has another status.",
    "member.changed": "A member joined, left, or has another role (`role`; null: not a member any more).",
    "operation.status": "An operation has another status.",
    "operation.step": "A step of an operation began or ended.",
    "revision.rolled_back": "A tenant returned to its last good revision, because the new one was rejected or did not become healthy.",
    "tenant.created": "A tenant was created.",
    "tenant.deleted": "A tenant was deleted, and nothing of it is left.",
    "tenant.drift": "An agent's own file has changes that the platform did not make.",
    "tenant.limits_restored": "Limits of a container that someone changed were restored.",
    "tenant.network_restored": "A container's networks that someone changed were restored.",
    "tenant.port_dead": "The port of a container leads nowhere; the tenant gets another one.",
    "tenant.resumed": "An operator ended a tenant's suspension.",
    "tenant.state": "A tenant has another state or another reason for it.",
    "tenant.suspended": "An operator suspended a tenant.",
}
