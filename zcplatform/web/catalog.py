"""/api/catalog: the providers and channels that can be chosen, with their fields. Forms are generated from it."""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import Response

from zcplatform.agent.channels import types
from zcplatform.agent.fields import Field
from zcplatform.agent.providers import FAMILIES
from zcplatform.core.roles import Permission
from zcplatform.web import config_shapes as shapes
from zcplatform.web.caller import Caller, reads

router = APIRouter(prefix="/api/catalog", tags=["catalog"])
Reader = Annotated[Caller, reads(Permission.CATALOG_READ)]


@router.get("/providers", operation_id="listProviderFamilies", summary="List provider families", response_model=shapes.Families)
async def providers(_: Reader) -> Response:
    """The model providers that a tenant can use, and the fields of each."""
    return _answer(
        {
            "name": each.name,
            "label": each.label,
            "auth": each.auth,
            "base_url": each.uri,
            "default_base_url": each.default_uri,
            "models": each.models,
            "fields": _fields(each.fields),
            "test": each.test,
            "test_reason": each.test_reason,
            "note": each.note,
        }
        for each in FAMILIES.values()
    )


@router.get("/channels", operation_id="listChannelTypes", summary="List channel types", response_model=shapes.ChannelTypes)
async def channels(_: Reader) -> Response:
    """The types of channel, how to set one up, and the fields of each."""
    return _answer(
        {
            "name": each.name,
            "label": each.label,
            "use": each.use,
            "why_not": each.why_not,
            "link": each.link,
            "steps": each.steps,
            "peer": each.peer,
            "peer_example": each.peer_example,
            "compiled": each.compiled,
            "fields": _fields(each.fields),
        }
        for each in types().values()
    )


def _answer(items: Iterable[dict[str, Any]]) -> Response:
    """Serialize item by item, because thousands of fields as objects at once would stay in the process's memory."""
    return Response('{"items": [' + ", ".join(json.dumps(item) for item in items) + "]}", media_type="application/json")


def _fields(known: Mapping[str, Field]) -> list[dict[str, Any]]:
    """The fields that a user may set; those that the platform decides are left out."""
    return [
        {
            "name": each.name,
            "type": each.type,
            "help": each.help,
            "is_secret": each.secret,
            "is_needed": each.needed,
            "default": each.preset if each.preset is not None else each.default,
            "choices": each.choices,
        }
        for each in known.values()
        if each.closed is None and each.fixed is None
    ]
