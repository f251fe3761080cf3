"""POST /api/tenants/{id}/providers/{alias}/test: a true answer, or that it can not be tested. The worker asks; this process never calls outside."""

from typing import Annotated

from fastapi import APIRouter, Body, Request

from zcplatform.core.roles import Permission
from zcplatform.ops import provider_tests as ops
from zcplatform.ops.context import Actor
from zcplatform.web import shapes
from zcplatform.web.actor import ContextOf, RetryKeyOf, needs
from zcplatform.web.agents import worker_of

router = APIRouter(prefix="/api/tenants", tags=["providers"])
TEST_S = 20.0


@router.post("/{tenant}/providers/{alias}/test", response_model=shapes.ProviderTest)
async def run(
    tenant: str,
    alias: str,
    request: Request,
    context: ContextOf,
    actor: Annotated[Actor, needs(Permission.PROVIDER_TEST)],
    retry: RetryKeyOf,
    sent: Annotated[shapes.ProviderInput | None, Body()] = None,
) -> shapes.ProviderTest:
    """Without a body the saved provider; with one that provider, which is not saved. It may cost one token of a model."""
    trial = None
    if sent is not None:
        trial = ops.UnsavedProvider(sent.family, sent.model, sent.base_url, sent.api_key.get_secret_value() if sent.api_key else None)
    row, told = await ops.ask(context, actor, retry, tenant, alias, trial)
    answer = await worker_of(request).ask("provider_test", TEST_S, tenant_id=row.id, alias=alias, **told)
    return shapes.ProviderTest.model_validate(answer)
