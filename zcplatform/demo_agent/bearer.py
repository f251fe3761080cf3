"""Who holds a token, and what everybody else is told."""

from zcplatform.demo_agent.state import State
from zcplatform.demo_agent.wire import Request, Response

REFUSED = Response.json(401, {"error": "Unauthorized — pair first via POST /pair, then send Authorization: Bearer <token>"})


def is_allowed(state: State, request: Request) -> bool:
    """The scheme is compared exactly, as the real agent does."""
    header = request.headers.get("authorization", "")
    return not state.guard.is_required or (header.startswith("Bearer ") and state.guard.knows(header.removeprefix("Bearer ")))
