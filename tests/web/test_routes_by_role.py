"""Every route of the application, asked by everybody: a stranger, an outsider, each role, a super-admin, a token without the permission.

The expected answer comes from the route's own declaration and the one table of permissions. A route that declares none fails here, and so
does one that finds an object of another tenant below its own.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import httpx2
import pytest

from zcplatform.core.roles import AUDITED_READS, REQUIRED, Permission, Role, Standing, is_of_tenant
from zcplatform.ids import new_invitation_id, new_token_id
from zcplatform.ops import tenants as asking
from zcplatform.ops import users as people
from zcplatform.ops.actor import Actor, ActorKind, Bearer
from zcplatform.ops.context import Call, Context
from zcplatform.store import invitations, members, tokens, users
from zcplatform.store.db import Tx, require
from zcplatform.store.invitations import Invitation
from zcplatform.vault.sealing import token_hash
from zcplatform.web.app import described
from zcplatform.web.permissions_page import Route, page, routes

from .conftest import AT, LATER, Web

ROOT = Path(__file__).parents[2]
OPEN = {
    "GET /healthz", "GET /readyz", "GET /internal/ask", "GET /login", "GET /invitation", "GET /assets/{name}",
    "GET /api/auth/methods", "POST /api/auth/otp/request", "POST /api/auth/otp/verify", "POST /api/auth/link",
}  # fmt: skip
FOREIGN = ("user", "invitation", "token")
"""Path parameters that name rows of their own, made in another tenant by `_other`."""
LOCAL = ("alias", "channel", "device", "name", "number", "revision", "secret", "kind", "file", "path", "session")
"""Path parameters that mean nothing outside the tenant in the path."""
ELSEWHERE = {"operation": "op_" + "0" * 22, "image": "img_" + "0" * 22, "plan": "nope", "session": "ses_" + "0" * 22}
STANDINGS = ("outsider", *Role, "super-admin")
ROUTES = routes(described())


def _name(route: Route) -> str:
    return f"{route.method} {route.path}"


class World:
    """One person for each standing, and two tenants for each question: asking may change one."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.people = {standing: web.user(f"{standing}@example.com", is_super_admin=standing == "super-admin") for standing in STANDINGS}
        self.tokens = {standing: web.token_of(user) for standing, user in self.people.items()}
        self.count = 0

    def tenant(self, member: str | None) -> str:
        """A new tenant with an owner of its own and, named by standing, one member. Returns its slug."""
        self.count += 1
        slug = f"t-{self.count:04d}"
        host = Actor(id="tok_host", kind=ActorKind.TOKEN, name="host", bearer=Bearer(), is_super_admin=True)
        context: Context = self.web.client._transport.app.state.context  # type: ignore[attr-defined]

        def write(tx: Tx) -> None:
            row = asking.create(Call(tx, context, host, AT), slug, asking.Changes())
            keeper = users.by_email(tx, "keeper@example.com") or people.add(tx, "keeper@example.com", "", AT)
            members.put(tx, members.Member(row.id, keeper.id, Role.OWNER, AT))
            if member in set(Role):
                members.put(tx, members.Member(row.id, require(users.get(tx, self.people[str(member)])).id, str(member), AT))

        self.web.database.write_now(write)
        return slug

    async def ask(self, route: Route, slug: str, names: Mapping[str, str], token: str | None, reason: str = "walk") -> httpx2.Response:
        path = re.sub(r"\{(\w+)(:path)?\}", lambda match: slug if match[1] == "tenant" else names.get(match[1], "1"), route.path)
        headers = {"Authorization": f"Bearer {token}" if token else "", **({"X-Reason": reason} if reason else {})}
        return await self.web.client.request(route.method, path, headers=headers, **({"json": {}} if route.method in BODIES else {}))


BODIES = ("POST", "PUT", "PATCH")


@pytest.fixture
def world(web: Web) -> World:
    web.client._transport.app.state.watcher.stopped.set()  # type: ignore[attr-defined]  # streams end at once
    return World(web)


def _verdict(answer: httpx2.Response) -> str:
    """What was decided about the caller: `admitted`, whatever became of the request then."""
    refusals = {401: "401", 403: "403"}
    return "404" if _code(answer) == "tenant.unknown" else refusals.get(answer.status_code, "admitted")


def _code(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["code"]) if answer.status_code >= 400 else ""
    except (ValueError, KeyError):
        return ""


def _expected(route: Route, standing: str) -> str:
    assert route.needed is not None
    permission, least = route.needed.permission, REQUIRED[route.needed.permission]
    inside = "{tenant}" in route.path
    if standing == "super-admin" or least is Standing.SIGNED_IN:
        allowed = True
    elif least is Standing.SUPER_ADMIN:
        allowed = False
    elif not inside:
        return "admitted"  # with what they may see: nothing, for an outsider
    else:
        allowed = standing in set(Role) and Role(standing).rank >= Role(str(least)).rank
    if inside and standing == "outsider":
        return "404"
    if not inside and is_of_tenant(permission):
        return "admitted"
    return "admitted" if allowed and not route.needed.step_up else "403"  # a token never has a fresh code


def test_every_route_declares_what_it_needs() -> None:
    silent = {_name(route) for route in ROUTES if route.needed is None}
    assert silent == OPEN
    assert len(ROUTES) >= 40


def test_every_name_in_a_path_is_known_here() -> None:
    found = {name for route in ROUTES for name in re.findall(r"\{(\w+)", route.path)}
    assert found <= {"tenant", *FOREIGN, *LOCAL, *ELSEWHERE}, "say in FOREIGN or LOCAL what it names"


async def test_a_stranger_gets_nothing(world: World) -> None:
    slug = world.tenant(None)
    for route in ROUTES:
        if route.needed is not None:
            assert (await world.ask(route, slug, ELSEWHERE, None)).status_code == 401, _name(route)
            assert (await world.ask(route, slug, ELSEWHERE, "zcp_wrong")).status_code == 401, _name(route)


@pytest.mark.parametrize("standing", STANDINGS)
async def test_each_route_by_each_role_in_his_own_tenant(world: World, standing: str) -> None:
    wrong = []
    for route in ROUTES:
        if route.needed is None:
            continue
        answer = await world.ask(route, world.tenant(standing), ELSEWHERE, world.tokens[standing])
        if _verdict(answer) != _expected(route, standing):
            wrong.append((_name(route), answer.status_code, answer.text[:200]))
        if _expected(route, standing) == "admitted":
            assert "access.denied" not in answer.text, _name(route)
    assert wrong == []


async def test_a_super_admin_says_why_before_anything_is_done_in_anothers_tenant(world: World) -> None:
    """Every change, and every read that is audited."""
    asked = []
    for route in ROUTES:
        if "{tenant}" not in route.path or route.needed is None:
            continue
        slug = world.tenant(None)
        before = _all_rows(world.web)
        answer = await world.ask(route, slug, ELSEWHERE, world.tokens["super-admin"], reason="")
        must_say = route.method != "GET" or route.needed.permission in AUDITED_READS
        if route.needed.step_up:
            assert answer.status_code == 403, _name(route)
        else:
            assert (_code(answer) == "reason.needed") == must_say, (_name(route), answer.text)
            assert not must_say or _all_rows(world.web) == before, _name(route)
            asked.append(must_say)
    assert sum(asked) >= 30
    assert len(asked) > sum(asked)


def test_what_a_super_admin_says_why_he_reads_is_what_the_page_promises() -> None:
    """docs/reference/api.md: logs, settings, channels, members, invitations, tokens, devices and the audit log."""
    read = {"logs.read", "config.read", "channel.read", "member.read", "member.manage", "token.manage", "device.read", "audit.read"}
    assert read == {str(one) for one in AUDITED_READS}


@pytest.mark.parametrize("standing", [*Role])
async def test_another_tenant_is_as_unknown_as_none(world: World, standing: str) -> None:
    world.tenant(standing)
    theirs = world.tenant(None)
    for route in ROUTES:
        if "{tenant}" in route.path:
            answer = await world.ask(route, theirs, ELSEWHERE, world.tokens[standing])
            nothing = await world.ask(route, "t-none", ELSEWHERE, world.tokens[standing])
            assert answer.status_code == nothing.status_code == 404, _name(route)
            assert answer.text.replace(theirs, "t-none") == nothing.text, _name(route)


async def test_an_owner_reaches_no_object_of_another_tenant_through_his_own(world: World) -> None:
    """A session that just stepped up has the greatest rights; a host's token takes its place, and that of a super-admin."""
    for route in ROUTES:
        nested = [name for name in re.findall(r"\{(\w+)", route.path) if name in FOREIGN]
        if "{tenant}" not in route.path or not nested:
            continue
        mine, theirs = world.tenant("owner"), world.tenant(None)
        names = world.web.database.write_now(lambda tx, slug=theirs: _other(tx, slug))  # type: ignore[misc]
        before = _all_rows(world.web)
        for token in (world.tokens["owner"], world.web.token()):
            answer = await world.ask(route, mine, names, token)
            body = {"role": "viewer", "user_id": names["user"]}
            if answer.status_code == 422:
                path = route.path.format(tenant=mine, **names)
                fitting = {field: body[field] for field in answer.json()["fields"] if field in body}
                answer = await world.web.client.request(route.method, path, json=fitting, headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 404, (_name(route), answer.text)
        assert _all_rows(world.web) == before, _name(route)


async def test_a_token_without_the_permission_is_refused(world: World) -> None:
    """Each route requires the permission it declares: a token that has every other one is rejected."""
    keeper = world.people["super-admin"]
    for permission in Permission:
        if permission is Permission.SELF_READ:
            continue
        others = sorted(set(Permission) - {permission})
        value = "zcp_" + permission.value.replace(".", "-")
        row = tokens.Token(
            id=new_token_id(),
            name="most",
            hash=token_hash(world.web.keys.token_pepper, value),
            hint="zcp_",
            created_at=AT,
            expires_at=LATER,
            user_id=keeper,
            maker_user_id=keeper,
            scopes=json.dumps(others),
        )
        world.web.database.write_now(lambda tx, row=row: tokens.insert(tx, row))  # type: ignore[misc]
        for route in ROUTES:
            if route.needed is not None and route.needed.permission is permission:
                answer = await world.ask(route, world.tenant("owner"), ELSEWHERE, value)
                assert (answer.status_code, answer.json()["code"]) == (403, "access.denied"), _name(route)


SOMETIMES_SECRET = re.compile(r"address|before|after|changes|code|cookie|hash|hint|key|request_id|settings|token|link")


async def test_an_object_has_one_form_for_all_who_may_read_it(world: World) -> None:
    """S-33: no field depends on the role; what a role may not read stands behind a permission of its own. So viewers' fields are looked through."""
    slug = await _furnished(world)
    read: dict[str, dict[str, set[str]]] = {}
    for route in ROUTES:
        if route.method == "GET" and "{tenant}" in route.path and "/logs" not in route.path:
            for standing in (*Role, "super-admin"):
                answer = await world.ask(route, slug, ELSEWHERE, world.tokens[standing])
                if answer.status_code == 200 and answer.headers["content-type"] == "application/json":
                    read.setdefault(route.path, {})[standing] = set(_fields(answer.json()))
    assert len(read) >= 8
    assert {path: forms for path, forms in read.items() if len({frozenset(fields) for fields in forms.values()}) > 1} == {}
    shown = {field for forms in read.values() for field in forms.get("viewer", ())}
    assert {"provider.family", "items.email", "items.steps.name"} <= shown
    assert {field for field in shown if SOMETIMES_SECRET.search(field.rpartition(".")[2])} == {"provider.has_key"}


async def _furnished(world: World) -> str:
    """A tenant in which everybody is a member, with something of everything that is listed."""
    slug = world.tenant("owner")
    world.web.image()
    provider = {"family": "anthropic", "model": "claude", "api_key": "sk-ant-0123456789abcdef"}
    assert (await world.web.client.patch(f"/api/tenants/{slug}", json={"provider": provider})).status_code == 200
    assert (await world.web.client.post(f"/api/tenants/{slug}/deploy")).status_code == 202

    def write(tx: Tx) -> None:
        _other(tx, slug)
        for role in Role:
            members.put(tx, members.Member(asking.get(tx, slug).id, require(users.get(tx, world.people[role])).id, role, AT))

    world.web.database.write_now(write)
    return slug


def _fields(value: object, path: str = "") -> list[str]:
    """By path; an audit entry names its subject and object by names of their own."""
    if isinstance(value, dict) and not path.endswith(("changes", "people")):
        return [name for key, part in value.items() for name in _fields(part, f"{path}.{key}".lstrip("."))] or [path]
    if isinstance(value, list):
        return sorted({name for part in value for name in _fields(part, path)})
    return [path]


@pytest.mark.parametrize("variant", ["{}/", "/{}", "{}%2f", "{};x", "{}/."])
async def test_variants_of_a_path_decide_the_same_or_are_no_route(world: World, variant: str) -> None:
    theirs = world.tenant(None)
    world.tenant("viewer")
    for path in (f"/api/tenants/{theirs}", f"/api/tenants/{theirs}/members", "/api/users", "/API/users"):
        answer = await world.web.client.get(variant.format(path), headers={"Authorization": f"Bearer {world.tokens['viewer']}"})
        assert answer.status_code in (307, 403, 404, 405), (path, answer.status_code)
        if answer.status_code == 307:
            assert answer.headers["location"].startswith("http://panel.localhost/api/")


async def test_a_method_is_what_it_is(world: World) -> None:
    mine = world.tenant("viewer")
    headers = {"Authorization": f"Bearer {world.tokens['viewer']}", "X-HTTP-Method-Override": "GET", "X-HTTP-Method": "GET"}
    answer = await world.web.client.post(f"/api/tenants/{mine}/members", json={"email": "a@b.de"}, headers=headers)
    assert answer.status_code == 403


def test_the_page_of_permissions_is_current() -> None:
    assert (ROOT / "docs" / "reference" / "permissions.md").read_text() == page(described()), "run scripts/permissions"


def _other(tx: Tx, slug: str) -> dict[str, str]:
    """A member, an invitation and a service account of this tenant."""
    tenant_id = asking.get(tx, slug).id
    user = users.by_email(tx, "theirs@example.com") or people.add(tx, "theirs@example.com", "", AT)
    members.put(tx, members.Member(tenant_id, user.id, Role.VIEWER, AT))
    invitation = Invitation(new_invitation_id(), tenant_id, "new@example.com", "viewer", slug.encode(), "x", None, AT, LATER)
    invitations.insert(tx, invitation)
    token = tokens.Token(new_token_id(), "theirs", slug.encode(), "zcp_", AT, LATER, tenant_id=tenant_id, role="viewer")
    tokens.insert(tx, token)
    return {"user": user.id, "invitation": invitation.id, "token": token.id}


def _all_rows(web: Web) -> list[object]:
    statements = (
        "SELECT tenant_id, user_id, role FROM members ORDER BY 1, 2",
        "SELECT id, revoked_at, accepted_at FROM invitations ORDER BY 1",
        "SELECT id, revoked_at FROM tokens WHERE name = 'theirs' ORDER BY 1",
    )
    return [web.database.read(lambda tx, statement=statement: tx.execute(statement).fetchall()) for statement in statements]  # type: ignore[misc]
