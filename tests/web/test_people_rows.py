"""Owners, roles and tokens as rows: what holds whoever calls, also when many call at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from zcplatform import clock
from zcplatform.core.roles import Permission, Role
from zcplatform.errors import Conflict, NotAllowed, PlatformError
from zcplatform.ops import access, members, tokens, users
from zcplatform.ops import tenants as asking
from zcplatform.ops.actor import Actor, ActorKind, Bearer, Needed
from zcplatform.ops.context import Call, Context, Outcome
from zcplatform.settings import Settings
from zcplatform.store import audit
from zcplatform.store import members as member_rows
from zcplatform.store import tenants as tenant_rows
from zcplatform.store import users as user_rows
from zcplatform.store.db import Database

from .conftest import AT

PEPPER = b"p" * 32


def _context(database: Database) -> Context:
    return Context(database, Settings(), b"", b"", lambda _: None)


def host() -> Actor:
    return Actor(id="tok_host", kind=ActorKind.TOKEN, name="host", bearer=Bearer(), is_super_admin=True)


def _as(user: user_rows.User, role: Role, tenant_id: str, stepped_up_at: str | None) -> Actor:
    return replace(host(), id=user.id, kind=ActorKind.USER, user_id=user.id, is_super_admin=False, role=role, stepped_up_at=stepped_up_at)


def test_twenty_demotions_at_once_leave_an_owner(web_less_tenant: Callable[[int], tuple[Database, str, list[user_rows.User]]]) -> None:
    database, tenant_id, owners = web_less_tenant(20)
    others = [Database(database.path) for _ in range(4)]
    now = clock.text(clock.now())

    def demote(number: int) -> str:
        actor = _as(owners[(number + 1) % 20], Role.OWNER, tenant_id, now)
        try:
            others[number % 4].write_now(
                lambda tx: members.change_role(Call(tx, _context(database), actor, now), "shop", owners[number].id, Role.VIEWER)
            )
        except Conflict as error:
            return error.code
        return "done"

    def demote_in_turn(lane: int) -> list[str]:
        """A connection belongs to one thread; the four compete for the database's lock."""
        return [demote(number) for number in range(lane, 20, 4)]

    with ThreadPoolExecutor(4) as pool:
        told = [outcome for outcomes in pool.map(demote_in_turn, range(4)) for outcome in outcomes]
    for opened in others:
        opened.close()
    roles = [person.role for person in database.read(lambda tx: member_rows.people(tx, tenant_id))]
    assert (roles.count("owner"), told.count("done"), told.count("member.last_owner")) == (1, 19, 1)


@pytest.fixture
def web_less_tenant(database: Database) -> Callable[[int], tuple[Database, str, list[user_rows.User]]]:
    def make(count: int) -> tuple[Database, str, list[user_rows.User]]:
        row = database.write_now(lambda tx: asking.create(Call(tx, _context(database), host(), AT), "shop", asking.Changes()))
        found = []
        for number in range(count):
            user = database.write_now(lambda tx, number=number: users.add(tx, f"o{number}@example.com", "", AT))  # type: ignore[misc]
            database.write_now(lambda tx, user=user: member_rows.put(tx, member_rows.Member(row.id, user.id, "owner", AT)))  # type: ignore[misc]
            found.append(user)
        return database, row.id, found

    return make


def test_handing_over_needs_a_fresh_code(web_less_tenant: Callable[[int], tuple[Database, str, list[user_rows.User]]]) -> None:
    database, tenant_id, (first, second) = web_less_tenant(2)
    now = clock.now()
    at = clock.text(now)
    stale = _as(first, Role.OWNER, tenant_id, AT)
    with pytest.raises(NotAllowed) as refused:
        stale.need_step_up(at)
    assert refused.value.code == "session.step_up_needed"
    fresh = _as(first, Role.OWNER, tenant_id, at)
    fresh.need_step_up(at)
    database.write_now(lambda tx: members.hand_over(Call(tx, _context(database), fresh, at), "shop", second.id))
    roles = {person.user_id: person.role for person in database.read(lambda tx: member_rows.people(tx, tenant_id))}
    assert roles == {first.id: "manager", second.id: "owner"}


def test_a_persons_token_falls_with_his_role_and_never_rises_above_its_own(
    web_less_tenant: Callable[[int], tuple[Database, str, list[user_rows.User]]],
) -> None:
    database, tenant_id, (owner, _) = web_less_tenant(2)
    at = clock.text(clock.now())
    maker = _as(owner, Role.OWNER, tenant_id, at)
    new, context = tokens.NewToken, _context(database)

    def make(create: Callable[[Call], Outcome[tokens.CreatedToken]]) -> tokens.TokenView:
        return database.write_now(lambda tx: create(Call(tx, context, maker, at))).value.token

    own = make(lambda call: tokens.create_own(call, new("a", 1, None, None)))
    viewer = make(lambda call: tokens.create_own(call, new("b", 1, Role.VIEWER, None)))
    service = make(lambda call: tokens.create_of_tenant(call, "shop", new("c", 1, Role.OWNER, None)))

    def role(token_id: object) -> object:
        def look(tx: object) -> object:
            actor = access.identify(tx, Bearer(token_id=token_id), at)  # type: ignore[arg-type]
            return access.permit(tx, actor, Needed(Permission.TENANT_READ), "shop", at).role  # type: ignore[arg-type]

        try:
            return database.read(look)  # type: ignore[arg-type]
        except PlatformError as error:
            return error.code

    assert [role(own.id), role(viewer.id), role(service.id)] == ["owner", "viewer", "owner"]
    database.write_now(lambda tx: member_rows.put(tx, member_rows.Member(tenant_rows.find(tx, "shop").id, owner.id, "contributor", AT)))  # type: ignore[union-attr]
    assert [role(own.id), role(viewer.id), role(service.id)] == ["contributor", "viewer", "contributor"]
    database.write_now(lambda tx: member_rows.remove(tx, tenant_id, owner.id))
    assert [role(own.id), role(viewer.id), role(service.id)] == ["tenant.unknown", "tenant.unknown", "token.invalid"]
    database.write_now(lambda tx: user_rows.disable(tx, owner.id, at))
    assert [role(own.id), role(viewer.id), role(service.id)] == ["user.disabled", "user.disabled", "token.invalid"]


def test_bootstrap_makes_one_and_lets_a_disabled_one_back(database: Database) -> None:
    user = database.write_now(lambda tx: users.bootstrap(tx, AT, "Root@example.com"))
    assert (user.email, user.is_super_admin) == ("root@example.com", 1)
    with pytest.raises(Conflict):
        database.write_now(lambda tx: users.bootstrap(tx, AT, "root@example.com"))
    database.write_now(lambda tx: user_rows.disable(tx, user.id, AT))
    assert database.write_now(lambda tx: users.bootstrap(tx, AT, "root@example.com")).is_active
    assert isinstance(database.read(audit.verify), int)
