"""How a simulated agent behaves: the commands of its program, and its gateway without a network."""

import secrets

from zcplatform import clock
from zcplatform.adapters.gateway import Gateway
from zcplatform.agent import compiled_channels
from zcplatform.agent.gateway_answers import Channel, Device, Health, Said
from zcplatform.engines.seen import Address, Result
from zcplatform.engines.simulated.world import AGENT_VERSION, Remains, World
from zcplatform.errors import NotFound, Unavailable


def run(command: tuple[str, ...], *, is_rejected: bool) -> Result:
    """What the program prints for the commands that the platform runs in throw-away containers."""
    if command == ("--version",):
        return Result(0, f"zeroclaw {AGENT_VERSION}\n")
    if command == compiled_channels.COMMAND:
        return Result(1, "a simulated agent lists no channels\n")
    if is_rejected:
        return Result(1, '{"valid": false, "message": "the simulated agent rejects it on request"}\n')
    return Result(0, '{"valid": true, "migrated": false}\n')


class SimulatedGateway(Gateway):
    """Answers for the agents of a world. A sick agent runs and does not answer well."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    async def health(self, address: Address) -> Health:
        found = self._world.serving(address)
        if found is None:
            return Health(False, error=f"nothing answers on port {address.port}")
        if found[0].slug in self._world.sick:
            return Health(False, error="the agent answered /health with status 503")
        return Health(True, is_paired=True, requires_pairing=True)

    async def initiate_pairing(self, address: Address, bearer: str) -> str:
        del bearer
        remains = self._remains(address)
        remains.devices[f"dev-{len(remains.devices) + 1}"] = clock.text(clock.now())
        return f"{secrets.randbelow(10**6):06}"

    async def channels(self, address: Address, bearer: str) -> tuple[Channel, ...]:
        del bearer
        self._remains(address)
        return ()

    async def devices(self, address: Address, bearer: str) -> tuple[Device, ...]:
        del bearer
        return tuple(
            Device(name, "simulated device", "browser", None, paired_at, paired_at, is_legacy=False)
            for name, paired_at in self._remains(address).devices.items()
        )

    async def revoke(self, address: Address, bearer: str, device_id: str) -> None:
        del bearer
        if self._remains(address).devices.pop(device_id, None) is None:
            raise NotFound("device.unknown", f"There is no device `{device_id[:40]}`", "list the devices again")

    async def say(self, address: Address, bearer: str, text: str) -> Said:
        del bearer
        self._remains(address)
        return Said(f"(simulated) You said: {text}", "simulated")

    def _remains(self, address: Address) -> Remains:
        found = self._world.serving(address)
        if found is None:
            raise Unavailable("agent.unreachable", f"nothing answers on port {address.port}", retry_after_s=5)
        return found[1]
