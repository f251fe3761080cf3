"""What the API says of itself: its routes with the permission each of them needs. docs/reference/permissions.md is made from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from zcplatform.core.roles import REQUIRED, Permission, Rights, Role, Standing
from zcplatform.ops.actor import Needed
from zcplatform.web.caller import Needs


@dataclass(frozen=True)
class Route:
    """`needed` is None for a route that asks nobody who he is."""

    method: str
    path: str
    needed: Needed | None


def routes(app: FastAPI) -> list[Route]:
    found = []
    for route in _routes(app):
        needed = [dependency.call.needed for dependency in route.dependant.dependencies if isinstance(dependency.call, Needs)]
        found += [Route(method, route.path, needed[0] if needed else None) for method in sorted(set(route.methods or ()) - {"HEAD"})]
    return sorted(found, key=lambda route: (route.path, route.method))


def page(app: FastAPI) -> str:
    """docs/reference/permissions.md, whole."""
    columns = ("signed in", *Role, "super-admin")
    standings = [
        Rights(None, is_super_admin=False),
        *(Rights(role, is_super_admin=False) for role in Role),
        Rights(None, is_super_admin=True),
    ]
    lines = [_HEAD, f"| permission | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| `{permission}` | {' | '.join('yes' if who.allow(permission) else '' for who in standings)} |" for permission in Permission
    ]
    lines += [_ROUTES, "| route | permission | least | code |", "|---|---|---|---|"]
    for route in routes(app):
        permission = f"`{route.needed.permission}`" if route.needed else ""
        least = _least(route.needed)
        lines.append(
            f"| `{route.method} {route.path}` | {permission} | {least} | {'yes' if route.needed and route.needed.step_up else ''} |"
        )
    return "\n".join(lines) + "\n"


def _least(needed: Needed | None) -> str:
    if needed is None:
        return "anybody"
    least = REQUIRED[needed.permission]
    return str(least.value if isinstance(least, Standing) else least)


def _routes(owner: Any) -> Iterator[APIRoute]:
    """Also those of routers that are included lazily."""
    for route in getattr(owner, "routes", []):
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _routes(inner)
        elif isinstance(route, APIRoute):
            yield route


_HEAD = """# Permissions

Made by `scripts/permissions` from `core/roles.py` and the routes; a test keeps it true.

A member has one role in a tenant. Rights are read from the database on every request, and again in the transaction that writes a change: a role that
was taken away ends requests and open streams at once. A tenant one is no member of answers 404, as one that never was; what a member may see and not
do answers 403. A token does what its owner may do now, within its own role and scopes; a service account never more than who made it.

A super-admin may do everything everywhere. What he does in a tenant beyond his role there (changes, and reading logs, settings, channels, members, invitations,
tokens, devices and the audit log) is written into that tenant's audit log as `super-admin`, with the reason he gives in the header `X-Reason`; its owners see it. Without a
reason a person is answered 422 `reason.needed`, and nothing is done. Of a token made on the host its name is the reason where a request gives none.
"""
_ROUTES = """
Parts of a request have permissions of their own: in `PATCH /api/tenants/{tenant}` the name and the image need `tenant.update`, the plan `tenant.plan`,
a provider's key `secret.write` and a fresh code; how a stored secret ends is told to those with `secret.write`; giving or taking the role of an owner needs `owner.change` and a fresh code.

"Code": a person must have given a code within the last ten minutes. Tokens made on the host are trusted as root is; other tokens never do these.
"""
