"""C1: whatever an agent says, no secret of its tenant is stored: not in a reason, an event, or a step of an operation."""

from dataclasses import replace

from tests.simulated.rig import Rig
from zcplatform.agent.gateway_answers import Health
from zcplatform.engines.seen import Address
from zcplatform.engines.simulated.agent import SimulatedGateway
from zcplatform.worker.reconcile.reconcile import reconcile

KEY = "sk-canary-7f3a9b21c4d5"


class TellingGateway(SimulatedGateway):
    """Puts its key where others say how they are."""

    async def health(self, address: Address) -> Health:
        del address
        return Health(False, error=f"the agent reports {KEY}")


def test_what_an_agent_says_of_its_health_is_redacted_everywhere(rig: Rig) -> None:
    rig.create("shop")
    rig.deploy("shop")
    deps = replace(rig.deps, gateway=TellingGateway(rig.world))
    rig.time.run(reconcile(deps, rig.row("shop").id))
    assert "reports [redacted]" in (rig.row("shop").error_detail or "")
    for path in rig.database.path.parent.glob(f"{rig.database.path.name}*"):
        assert KEY.encode() not in path.read_bytes(), path.name
