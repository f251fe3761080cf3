"""POST /api/tenants/{tenant}/providers/{alias}/test. The worker makes the call; this process never connects to a provider."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Request

from zcplatform.core import live_messages
from zcplatform.core.roles import Permission
from zcplatform.ops import provider_tests
from zcplatform.web import agent_shapes as shapes
from zcplatform.web.agents import worker_of
from zcplatform.web.caller import Caller, changes
from zcplatform.web.shapes import ProviderInput

router = APIRouter(prefix="/api/tenants", tags=["providers"])
TEST_S = 20.0


@router.post("/{tenant}/providers/{alias}/test", operation_id="testProvider", summary="Test a provider", response_model=shapes.ProviderTest)
async def run(
    tenant: str,
    alias: Annotated[str, Path(description="The provider's name in the settings; `main` for the main one")],
    request: Request,
    caller: Annotated[Caller, changes(Permission.PROVIDER_TEST)],
    sent: Annotated[ProviderInput | None, Body()] = None,
) -> shapes.ProviderTest:
    """Without a body: the saved provider. With a body: that provider, which is not saved. It may cost one token of a model."""
    unsaved = None
    if sent is not None:
        key = sent.api_key.get_secret_value() if sent.api_key else None
        unsaved = provider_tests.UnsavedProvider(sent.family, sent.model, sent.base_url, key)
    row, fields = await provider_tests.ask(caller, tenant, alias, unsaved)
    answer = await worker_of(request).ask(live_messages.ProviderTest(row.id, alias, **fields), TEST_S)
    return shapes.ProviderTest.model_validate(answer)
