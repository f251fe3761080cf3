"""What the protocol promises, as tests that every implementation passes: subclass `PlacePromises` and give it a `bench` fixture."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from typing import Protocol

import pytest

from zcplatform.agent.runtime import CONSTANTS, PROGRAM
from zcplatform.core.workload import Task, TenantRef, Workload
from zcplatform.engines.protocol import EngineUnreachable, Place
from zcplatform.engines.seen import NOTHING, Facts, Known, Look, Silence, TenantSeen
from zcplatform.errors import StepFailed, Unavailable
from zcplatform.ids import LOCAL, new_tenant_id

UID = 700_123
CONFIG = {"config.toml": b"[gateway]\nport = 42617\n"}


class Bench(Protocol):
    """A place with an image on it, and the same place while nobody there answers."""

    place: Place
    silent: Place
    image_id: str

    def port(self) -> int:
        """One that nothing uses."""
        ...


@dataclass(frozen=True)
class Made:
    place: Place
    workload: Workload

    @property
    def tenant(self) -> TenantRef:
        return self.workload.tenant

    async def look(self) -> TenantSeen:
        seen = await self.place.look_at(self.tenant)
        assert not isinstance(seen, Silence)
        return seen

    async def put(self, workload: Workload | None = None) -> None:
        await self.place.put_network(workload or self.workload)
        await self.place.put_workspace(self.tenant, self.workload.uid)
        await self.place.write_configuration(self.tenant, self.workload.uid, CONFIG)
        await self.place.put(workload or self.workload)

    async def remove(self) -> None:
        await self.place.stop(self.tenant)
        await self.place.remove(self.tenant)
        await self.place.drop_configuration(self.tenant)
        await self.place.remove_network(self.tenant, self.workload.subnet)
        await self.place.remove_workspace(self.tenant)
        await self.place.release_workspace(self.tenant)


def make(bench: Bench, slug: str, subnet: int = 40) -> Made:
    workload = Workload(
        tenant=TenantRef(new_tenant_id(), slug),
        node_id=LOCAL,
        generation=1,
        epoch=0,
        image_id=bench.image_id,
        uid=UID,
        port=bench.port(),
        subnet=subnet,
        memory_bytes=64 * 1024 * 1024,
        cpu_millis=500,
        pids=64,
        resolvers=("192.0.2.53",),
        program=PROGRAM,
    )
    return Made(bench.place, workload)


@pytest.fixture
async def acme(bench: Bench) -> AsyncGenerator[Made, None]:
    made = make(bench, "acme-contract")
    yield made
    await made.remove()


class PlacePromises:
    async def test_of_a_tenant_that_never_was_there_is_nothing_and_removing_it_succeeds(self, acme: Made) -> None:
        assert await acme.look() == NOTHING
        assert await acme.place.stop(acme.tenant) is False
        await acme.remove()
        await acme.remove()
        assert await acme.place.remains(acme.tenant) == ()

    async def test_a_life(self, acme: Made) -> None:
        await acme.put()
        made = (await acme.look()).workload
        assert made is not None
        assert (made.is_alive, acme.place.dial(made)) == (False, None)
        await acme.place.start(acme.tenant)
        await acme.place.start(acme.tenant)
        running = (await acme.look()).workload
        assert running is not None
        assert (running.is_alive, running.is_running, running.is_isolated) == (True, True, True)
        assert (running.image_id, running.exit_code) == (acme.workload.image_id, None)
        assert acme.place.dial(running) == f"127.0.0.1:{acme.workload.port}"
        assert await acme.place.agent(acme.tenant) == ("127.0.0.1", acme.workload.port)
        assert await acme.place.port_leads(acme.workload) is not False
        assert await acme.place.stop(acme.tenant) is True
        stopped = (await acme.look()).workload
        assert stopped is not None
        assert not stopped.is_alive
        with pytest.raises(Unavailable):
            await acme.place.agent(acme.tenant)
        await acme.remove()
        assert await acme.look() == NOTHING

    async def test_a_look_from_afar_sees_the_same_but_not_the_limits(self, acme: Made) -> None:
        await acme.put()
        await acme.place.start(acme.tenant)
        look, closely = await acme.place.look(), await acme.look()
        assert isinstance(look, Look)
        seen = look.of(acme.tenant)
        assert seen.workload is not None
        assert closely.workload is not None
        assert seen.workload.limits is None
        assert closely.workload.limits is not None
        assert (seen.workload.ref, seen.workload.address) == (closely.workload.ref, closely.workload.address)
        assert (seen.network, seen.files) == (closely.network, closely.files)

    async def test_the_same_workload_is_adopted_and_another_one_replaces_it(self, acme: Made) -> None:
        await acme.put()
        first = (await acme.look()).workload
        await acme.place.put(replace(acme.workload, generation=2))
        again = (await acme.look()).workload
        await acme.place.put(replace(acme.workload, epoch=1))
        other = (await acme.look()).workload
        assert first is not None
        assert again is not None
        assert other is not None
        assert first.ref == again.ref != other.ref

    @pytest.mark.parametrize(
        "changed", [{"epoch": 1}, {"pids": 65}, {"memory_bytes": 65 << 20}, {"cpu_millis": 501}, {"uid": UID + 1}], ids=str
    )
    async def test_only_another_specification_differs(self, acme: Made, changed: dict[str, int]) -> None:
        await acme.put()
        seen = await acme.look()
        same = acme.place.compare(replace(acme.workload, generation=9), seen)
        assert (same.is_other, same.network_is_other, dict(same.limits)) == (False, False, {})
        assert acme.place.compare(replace(acme.workload, **changed), seen).is_other
        assert acme.place.compare(replace(acme.workload, subnet=41), seen).network_is_other
        with pytest.raises(ValueError, match="pids"):
            acme.place.compare(replace(acme.workload, pids=-1), seen)

    async def test_a_workload_out_of_bounds_is_not_made(self, acme: Made) -> None:
        await acme.put()
        before = await acme.look()
        for act in (acme.place.check, acme.place.put):
            with pytest.raises(StepFailed) as failed:
                await act(replace(acme.workload, pids=-1))
            assert failed.value.code == "tenant.invalid"
        assert await acme.look() == before

    async def test_what_the_machine_lacks_is_said_before_anything_is_removed(self, acme: Made) -> None:
        """F1"""
        await acme.put()
        await acme.place.start(acme.tenant)
        before, facts = await acme.look(), await acme.place.facts()
        assert isinstance(facts, Facts)
        for changed in ({"cpu_millis": (facts.cpus + 1) * 1_000}, {"memory_bytes": facts.memory_bytes + (1 << 20)}):
            for act in (acme.place.check, acme.place.put):
                with pytest.raises(StepFailed) as failed:
                    await act(replace(acme.workload, **changed))
                assert failed.value.code == "host.too_small"
        with pytest.raises(StepFailed) as missing:
            await acme.place.check(replace(acme.workload, image_id="sha256:" + "0" * 64))
        assert missing.value.code == "image.missing"
        await acme.place.check(replace(acme.workload, pids=65))
        assert await acme.look() == before

    async def test_another_tenant_s_objects_are_neither_seen_nor_touched(self, bench: Bench, acme: Made) -> None:
        """A row that took the slug of another tenant."""
        await acme.put()
        await acme.place.start(acme.tenant)
        thief, before = TenantRef(new_tenant_id(), acme.tenant.slug), await acme.look()
        seen = await acme.place.look_at(thief)
        assert not isinstance(seen, Silence)
        assert (seen.workload, seen.network) == (None, None)
        for act in (acme.place.start, acme.place.stop, acme.place.remove):
            with pytest.raises(StepFailed) as failed:
                await act(thief)
            assert failed.value.code == "container.foreign"
        with pytest.raises(StepFailed) as network:
            await acme.place.remove_network(thief, None)
        with pytest.raises(StepFailed) as workspace:
            await acme.place.remove_workspace(thief)
        assert (network.value.code, workspace.value.code) == ("network.foreign", "workspace.foreign")
        assert await acme.look() == before

    async def test_nothing_is_concluded_from_silence(self, bench: Bench) -> None:
        place, ref = bench.silent, TenantRef(new_tenant_id(), "silent")
        for seen in (await place.look(), await place.look_at(ref), await place.readings(), await place.facts()):
            assert isinstance(seen, Silence)
            assert seen.detail
        for act in (place.start, place.stop, place.remove):
            with pytest.raises(EngineUnreachable):
                await act(ref)

    async def test_each_configuration_is_a_mount_of_its_own(self, acme: Made) -> None:
        await acme.place.put_workspace(acme.tenant, UID)
        first = await acme.place.write_configuration(acme.tenant, UID, {"config.toml": b"a = 1\n", ".secret_key": b"k"})
        assert (await acme.look()).files.configuration == first
        assert await acme.place.read_configuration(acme.tenant, "config.toml", 64) == b"a = 1\n"
        assert await acme.place.read_configuration(acme.tenant, "config.toml", 3) is None
        stamp = await acme.place.stamp_configuration(acme.tenant, "config.toml")
        second = await acme.place.write_configuration(acme.tenant, UID, {"config.toml": b"a = 2\n"})
        assert (await acme.look()).files.configuration == second != first
        assert await acme.place.read_configuration(acme.tenant, ".secret_key", 64) is None
        assert await acme.place.stamp_configuration(acme.tenant, "config.toml") != stamp
        await acme.place.drop_configuration(acme.tenant)
        await acme.place.drop_configuration(acme.tenant)
        assert await acme.place.read_configuration(acme.tenant, "config.toml", 64) is None
        assert await acme.place.stamp_configuration(acme.tenant, "config.toml") is None
        assert (await acme.look()).files.configuration is None

    async def test_a_workspace_belongs_to_its_tenant_and_outlives_its_workload(self, acme: Made) -> None:
        await acme.put()
        await acme.place.write_workspace_file(acme.tenant, UID, "agents/main/NOTES.md", b"hello")
        await acme.place.remove(acme.tenant)
        files = (await acme.look()).files
        assert (files.has_workspace, files.workspace_owner) == (True, UID)
        await acme.place.remove_workspace_file(acme.tenant, "agents/main/NOTES.md", b"another text")
        await acme.place.remove_workspace_file(acme.tenant, "agents/main/NOTES.md", b"hello")
        await acme.place.remove_workspace_file(acme.tenant, "agents/main/NOTES.md", b"hello")

    async def test_a_workspace_travels_as_a_stream(self, bench: Bench, acme: Made) -> None:
        other = make(bench, "other-contract")
        await acme.place.put_workspace(acme.tenant, UID)
        await acme.place.write_workspace_file(acme.tenant, UID, "data/notes/one.txt", b"what it knows")
        try:
            await acme.place.import_workspace(other.tenant, UID + 1, acme.place.export_workspace(acme.tenant))
            assert (await other.look()).files.workspace_owner == UID + 1
            parts = [part async for part in acme.place.export_workspace(other.tenant)]
            assert b"what it knows" in b"".join(parts)
        finally:
            await other.remove()

    async def test_a_sweep_removes_what_nobody_knows_and_nothing_else(self, bench: Bench, acme: Made) -> None:
        stray = make(bench, "stray-contract", 42)
        try:
            await acme.put()
            await stray.put()
            known = Known((acme.tenant,), frozenset({acme.workload.subnet}))
            removed = await acme.place.sweep(lambda: known)
            assert any("stray-contract" in what for what in removed)
            assert not any("acme-contract" in what for what in removed)
            seen = await stray.look()
            assert (seen.workload, seen.network) == (None, None)
            assert (await acme.look()).workload is not None
            assert await acme.place.sweep(lambda: known) == ()
        finally:
            await stray.remove()

    async def test_whatever_is_left_of_a_tenant_is_named(self, acme: Made) -> None:
        await acme.put()
        assert len(await acme.place.remains(acme.tenant)) == 4
        await acme.place.remove(acme.tenant)
        assert len(await acme.place.remains(acme.tenant)) == 3

    async def test_a_task_runs_once_and_leaves_nothing(self, bench: Bench, acme: Made) -> None:
        task = Task(
            purpose="check",
            subject=acme.tenant.slug,
            image_id=bench.image_id,
            command=("config", "migrate", "--json"),
            environment=CONSTANTS,
            memory_bytes=64 << 20,
            pids=64,
            deadline_s=2,
            uid=UID,
            tenant=acme.tenant,
            config_target=PROGRAM.config_target,
            configuration=CONFIG,
        )
        await acme.place.run_once(task)
        assert await acme.place.remains(acme.tenant) == ()
        assert await acme.look() == NOTHING

    async def test_an_image_is_found_by_its_id(self, bench: Bench) -> None:
        found = await bench.place.image(bench.image_id)
        assert found is not None
        assert found.id == bench.image_id
        assert await bench.place.image("sha256:" + "0" * 64) is None

    async def test_what_runs_is_measured(self, acme: Made) -> None:
        await acme.put()
        await acme.place.start(acme.tenant)
        readings = await acme.place.readings()
        assert not isinstance(readings, Silence)
        assert readings[acme.tenant.id].memory_bytes > 0
        await acme.place.stop(acme.tenant)
        readings = await acme.place.readings()
        assert not isinstance(readings, Silence)
        assert acme.tenant.id not in readings
