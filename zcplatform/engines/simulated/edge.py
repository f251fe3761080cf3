"""A simulated edge: it keeps a document, and answers for a name as Caddy would."""

from typing import Any

from zcplatform.adapters.caddy import Caddy, EdgeConflict, EdgeUnreachable
from zcplatform.engines.seen import Address
from zcplatform.engines.simulated.faults import Fault, Faults
from zcplatform.engines.simulated.world import World

Json = dict[str, Any]


class SimulatedEdge(Caddy):
    def __init__(self, world: World) -> None:
        self._world = world
        self._version = 0
        self.document: Json | None = None
        self.faults = Faults()

    async def get(self) -> tuple[Json | None, str]:
        self._fail("get")
        return self.document, str(self._version)

    async def set(self, document: Json, etag: str) -> None:
        if self._fail("set") is Fault.LIE:
            return
        if etag != str(self._version):
            raise EdgeConflict("edge.conflict", "the document was changed meanwhile", "it is compared again")
        self.document, self._version = document, self._version + 1

    async def marker(self, host: str, path: str = "/") -> str | None:
        """Return the tenant that the name leads to, if its agent answers on that port."""
        del path
        self._fail("marker")
        slug = host.partition(".")[0]
        for tenant_id, port in self.routes().items():
            serving = self._world.serving(Address("127.0.0.1", port))
            if serving is not None and serving[0].id == tenant_id and serving[0].slug == slug:
                return tenant_id
        return None

    def routes(self) -> dict[str, int]:
        """Tenant id → port, of every route in the document."""
        found: dict[str, int] = {}
        pending: list[Any] = [self.document]
        while pending:
            node = pending.pop()
            if isinstance(node, dict):
                if "zcp_port" in node:
                    found[str(node["zcp_tenant"])] = int(node["zcp_port"])
                pending += node.values()
            elif isinstance(node, list):
                pending += node
        return found

    def _fail(self, method: str) -> Fault | None:
        fault = self.faults.next(method)
        match fault:
            case Fault.SILENT | Fault.LOST | Fault.SLOW:
                raise EdgeUnreachable("edge.unreachable", "The simulated edge does not answer", "Start it again")
            case Fault.DIE_BEFORE | Fault.DIE_AFTER:
                self.faults.kill()
        return fault
