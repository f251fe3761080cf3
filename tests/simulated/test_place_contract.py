"""The simulated place keeps the promises of the protocol, as far as they show in memory."""

import itertools

import pytest

from tests.engines.contract.promises import PlacePromises, acme  # noqa: F401
from zcplatform.engines.protocol import Place
from zcplatform.engines.simulated.place import SimulatedPlace
from zcplatform.engines.simulated.world import World


class SimulatedBench:
    def __init__(self) -> None:
        world = World("zc", firewall_stands=True)
        silent = SimulatedPlace(World("zc"))
        silent.faults.is_silent = True
        self.place: Place = SimulatedPlace(world)
        self.silent: Place = silent
        self.image_id = world.demo_image().id
        self._ports = itertools.count(20_000)

    def port(self) -> int:
        return next(self._ports)


@pytest.fixture
def bench() -> SimulatedBench:
    return SimulatedBench()


class TestSimulatedPlace(PlacePromises):
    pass
