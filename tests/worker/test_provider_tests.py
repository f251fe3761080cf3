"""A test of a provider, from the row or the box to the call: which key is sent where, and what is refused."""

import json
from base64 import b64encode
from contextlib import AsyncExitStack, ExitStack, aclosing
from typing import Any

import pytest

from tests.fakes.model_services import GOOD, HonestProvider, SlowProvider
from tests.worker.agent_calls_rig import ACTOR, AT, Make, Rig
from zcplatform.agent import bindings
from zcplatform.errors import BadInput, NotFound, PlatformError
from zcplatform.ids import new_tenant_id
from zcplatform.ops import config
from zcplatform.ops.context import Call, Context
from zcplatform.ops.providers import MainProvider
from zcplatform.store.db import Database
from zcplatform.vault.opening import CannotOpen
from zcplatform.vault.sealing import TRIAL, SecretBinding, seal
from zcplatform.worker.provider_tests import ProviderTests


async def tried(rig: Rig, **arguments: object) -> dict[str, Any]:
    tests = ProviderTests(rig.deps, rig.keys)
    async with aclosing(tests.run({"tenant_id": rig.tenant.id, "alias": "main", **arguments})) as answers:
        return await anext(answers)


def read_saved(rig: Rig, providers: dict[str, Any], given: dict[str, str]) -> None:
    """As a save through the API leaves them."""
    context = Context(rig.deps.database, rig.deps.settings, rig.keys.seal_public, rig.keys.code_mac, lambda _: None)
    rig.deps.database.write_now(lambda tx: config.patch(Call(tx, context, ACTOR, AT), "shop", {"providers": providers}, given, None))


def box(rig: Rig, url: str, **changed: Any) -> str:
    place = {"tenant_id": rig.tenant.id, "kind": TRIAL, "name": "main", "host": str(bindings.origin(url)), "row": "", "version": 0}
    return b64encode(seal(rig.keys.seal_public, SecretBinding(**{**place, **changed}), GOOD)).decode()


async def test_a_saved_key_is_tested_also_before_it_was_ever_deployed(database: Database, make: Make) -> None:
    async with HonestProvider().running() as service:
        rig = make(20_000, MainProvider("custom", "echo", service.url, GOOD), allowed_hosts=[service.place])
        told = await tried(rig)
    assert (told["result"], told["host"], told["family"], told["model_listed"]) == ("works", f"http://{service.place}", "custom", True)
    assert GOOD not in json.dumps(told)
    assert service.asked[0].key == GOOD


async def test_a_saved_key_goes_to_no_other_host_than_its_own(database: Database, make: Make) -> None:
    """A row that was changed behind the key's back: the call is made without it."""
    async with HonestProvider().running() as saved, HonestProvider("127.0.0.6").running() as other:
        rig = make(20_000, MainProvider("custom", "echo", saved.url, GOOD), allowed_hosts=[saved.place, other.place])
        settings = json.dumps({"provider": {"family": "custom", "model": "echo", "base_url": other.url}})
        database.write_now(lambda tx: tx.execute("UPDATE revisions SET settings = ?", (settings,)))
        told = await tried(rig)
    assert told["result"] == "refused"
    assert [asked.key for asked in other.asked] == [""]
    assert saved.asked == []


async def test_each_alias_is_tested_with_its_own_key_at_its_own_address(database: Database, make: Make) -> None:
    """Main, fallback, cheap and embedding, all of one family: the keys are not the right ones, so that each service reports which one it saw."""
    async with AsyncExitStack() as stack:
        services = {
            alias: await stack.enter_async_context(HonestProvider(f"127.0.0.{number}").running())
            for number, alias in enumerate(("main", "second", "cheap", "embedding"), start=5)
        }
        rig = make(20_000, allowed_hosts=[service.place for service in services.values()])
        providers = {alias: {"family": "custom", "model": "echo", "base_url": service.url} for alias, service in services.items()}
        read_saved(rig, providers, {f"providers.{alias}.api_key": f"sk-{alias}" for alias in services})
        told = {alias: await tried(rig, alias=alias) for alias in services}
    assert {alias: (one["result"], one["host"]) for alias, one in told.items()} == {
        alias: ("refused", f"http://{service.place}") for alias, service in services.items()
    }
    assert {alias: [asked.key for asked in service.asked] for alias, service in services.items()} == {
        alias: [f"sk-{alias}"] for alias in services
    }


async def test_a_key_goes_to_the_site_that_was_chosen(database: Database, make: Make) -> None:
    """An `endpoint` is another host than the family's usual one, and the key was saved for that."""
    rig = make(20_000)
    read_saved(rig, {"main": {"family": "zai", "model": "glm-4.6", "options": {"endpoint": "cn"}}}, {"providers.main.api_key": "id.secret"})
    provider = await ProviderTests(rig.deps, rig.keys)._saved(rig.snapshot, "main")
    assert (provider.address, provider.api_key) == ("https://open.bigmodel.cn/api/coding/paas/v4", "id.secret")


async def test_an_unsaved_key_comes_in_a_box_and_is_kept_nowhere(database: Database, make: Make) -> None:
    async with HonestProvider().running() as service:
        rig = make(20_000, allowed_hosts=[service.place])
        told = await tried(rig, family="custom", model="echo", base_url=service.url, box=box(rig, service.url))
    assert told["result"] == "works"
    dumped = b"".join(path.read_bytes() for path in database.path.parent.glob("zcplatform.db*"))
    assert GOOD.encode() not in dumped


@pytest.mark.parametrize(
    "changed", [{"tenant_id": "ten_other"}, {"kind": "provider"}, {"name": "other"}, {"host": "http://127.0.0.6:1"}, {"version": 1}]
)
async def test_a_box_for_another_place_is_refused(database: Database, make: Make, changed: dict[str, Any]) -> None:
    async with HonestProvider().running() as service:
        rig = make(20_000, allowed_hosts=[service.place])
        with pytest.raises(CannotOpen):
            await tried(rig, family="custom", model="echo", base_url=service.url, box=box(rig, service.url, **changed))
    assert service.connections == 0


@pytest.mark.parametrize(
    "arguments",
    [
        {"family": "nosuch", "model": "m"},
        {"family": "custom", "model": "m"},
        {"family": "custom", "model": 5, "base_url": "http://127.0.0.5:1/v1"},
        {"family": "custom", "model": "m", "base_url": "http://x\r\ny/"},
        {"family": "openrouter", "model": "m", "base_url": "http://127.0.0.5:1/v1"},
        {"family": "custom", "model": "m", "base_url": "http://127.0.0.5:1/v1", "box": "***"},
        {"family": "custom", "model": "m", "base_url": "http://127.0.0.5:1/v1", "box": "x" * 50_000},
    ],
)
async def test_what_no_request_could_ask_for_is_refused(database: Database, make: Make, arguments: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        await tried(make(20_000), **arguments)


async def test_an_unknown_provider_is_404(database: Database, make: Make) -> None:
    rig = make(20_000, MainProvider("openai", "m", None, GOOD))
    with pytest.raises(NotFound):
        await tried(rig, alias="other")


async def test_one_test_at_a_time_for_a_tenant(database: Database, make: Make) -> None:
    async with SlowProvider().running() as service:
        rig = make(20_000, MainProvider("custom", "echo", service.url, GOOD), allowed_hosts=[service.place])
        tests = ProviderTests(rig.deps, rig.keys)
        with tests._limit.taken(rig.tenant.id), pytest.raises(PlatformError) as caught:
            async for _ in tests.run({"tenant_id": rig.tenant.id, "alias": "main"}):
                pass
    assert caught.value.code == "live.busy"
    assert service.connections == 0


async def test_tenants_with_silent_providers_leave_room_for_others(database: Database, make: Make) -> None:
    async with HonestProvider().running() as service:
        rig = make(20_000, MainProvider("custom", "echo", service.url, GOOD), allowed_hosts=[service.place])
        tests = ProviderTests(rig.deps, rig.keys)
        with ExitStack() as others:
            for _ in range(40):
                others.enter_context(tests._limit.taken(new_tenant_id()))
            answers = [answer async for answer in tests.run({"tenant_id": rig.tenant.id, "alias": "main"})]
    assert answers[0]["result"] == "works"


async def test_an_address_inside_is_unreachable_in_the_same_words(database: Database, make: Make) -> None:
    async with HonestProvider().running() as service:
        rig = make(20_000, MainProvider("custom", "echo", service.url, GOOD), allowed_hosts=[service.place])
        settings = json.dumps({"provider": {"family": "custom", "model": "echo", "base_url": f"http://127.0.0.1:{service.port}/v1"}})
        database.write_now(lambda tx: tx.execute("UPDATE revisions SET settings = ?", (settings,)))
        told = await tried(rig)
    assert (told["result"], told["status"], service.connections) == ("unreachable", None, 0)
