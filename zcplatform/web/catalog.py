"""/api/catalog: what can be chosen, and the fields of each; forms are made from it."""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import Response

from zcplatform.agent.channels import types
from zcplatform.agent.fields import Field
from zcplatform.agent.providers import FAMILIES
from zcplatform.core.roles import Permission
from zcplatform.ops.context import Actor
from zcplatform.web import config_shapes as shapes
from zcplatform.web.actor import needs

router = APIRouter(prefix="/api/catalog", tags=["catalog"])
Reader = Annotated[Actor, needs(Permission.CATALOG_READ)]


@router.get("/providers", response_model=shapes.Families)
async def providers(_: Reader) -> Response:
    return _answer(
        {
            "name": one.name,
            "label": one.label,
            "auth": one.auth,
            "base_url": one.uri,
            "default_base_url": one.default_uri,
            "models": one.models,
            "fields": _fields(one.fields),
            "test": one.test,
            "test_reason": one.test_reason,
            "note": one.note,
        }
        for one in FAMILIES.values()
    )


@router.get("/channels", response_model=shapes.ChannelTypes)
async def channels(_: Reader) -> Response:
    return _answer(
        {
            "name": one.name,
            "label": one.label,
            "use": one.use,
            "why_not": one.why_not,
            "link": one.link,
            "steps": one.steps,
            "peer": one.peer,
            "peer_example": one.peer_example,
            "compiled": one.compiled,
            "fields": _fields(one.fields),
        }
        for one in types().values()
    )


def _answer(items: Iterable[dict[str, Any]]) -> Response:
    """Written one by one: thousands of fields as objects at once would stay with the process."""
    return Response('{"items": [' + ", ".join(json.dumps(item) for item in items) + "]}", media_type="application/json")


def _fields(known: Mapping[str, Field]) -> list[dict[str, Any]]:
    """What somebody may fill in; what the platform decides is not offered."""
    return [
        {
            "name": one.name,
            "type": one.type,
            "help": one.help,
            "is_secret": one.secret,
            "is_needed": one.needed,
            "default": one.preset if one.preset is not None else one.default,
            "choices": one.choices,
        }
        for one in known.values()
        if one.closed is None and one.fixed is None
    ]
