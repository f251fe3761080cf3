"""How often the engine lists everything: once a round, however many tenants there are."""

from pathlib import Path
from typing import Any

from zcplatform.agent.runtime import PROGRAM
from zcplatform.engines.docker.answers import ContainerSeen, DockerNetwork
from zcplatform.engines.docker.place import LocalPlace
from zcplatform.engines.seen import Known, Look
from zcplatform.ids import LABEL_INSTANCE, LABEL_TENANT
from zcplatform.settings import Settings

STRAY = ContainerSeen("c1", "nobody-stray", {LABEL_INSTANCE: "nobody", LABEL_TENANT: "ten_01jd9a0000abcdefghjkmn"}, "running", "sha256:0")


class CountingDocker:
    """Holds one container that belongs to no tenant."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.left = [STRAY]

    async def containers(self, instance: str) -> list[ContainerSeen]:
        self.asked.append(f"containers of {instance}")
        return list(self.left)

    async def networks(self, instance: str) -> list[DockerNetwork]:
        self.asked.append(f"networks of {instance}")
        return []

    async def stop(self, ref: str, timeout_s: int) -> None:
        del ref, timeout_s

    async def remove(self, ref: str) -> None:
        self.left = [one for one in self.left if one.id != ref]


class StandingFirewall:
    stands, engine_rules_gone = True, False

    async def ensure(self) -> None:
        """It stands."""


async def test_a_round_lists_everything_once(tmp_path: Path) -> None:
    docker: Any = CountingDocker()
    settings = Settings(instance="nobody", data_dir=tmp_path / "data", run_dir=tmp_path / "run")
    place = LocalPlace(settings, docker, StandingFirewall(), PROGRAM)
    once = ["containers of nobody", "networks of nobody"]
    look = await place.look()
    assert isinstance(look, Look)
    assert await place.sweep(lambda: Known((), frozenset()), look) == ("container nobody-stray",)
    assert docker.asked == once
    assert await place.sweep(lambda: Known((), frozenset())) == (), "without a look it asks by itself"
    assert docker.asked == once * 2
