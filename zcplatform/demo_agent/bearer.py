"""Bearer authentication: who holds a token, and the response to everyone else."""

from zcplatform.demo_agent.state import DemoState
from zcplatform.demo_agent.wire import Request, Response

REFUSED = Response.json(401, {"error": "Unauthorized — pair first via POST /pair, then send Authorization: Bearer <token>"})


def is_allowed(state: DemoState, request: Request) -> bool:
    """The scheme is compared exactly, as in the real agent."""
    header = request.headers.get("authorization", "")
    return not state.guard.is_required or (header.startswith("Bearer ") and state.guard.knows(header.removeprefix("Bearer ")))
