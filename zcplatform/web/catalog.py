"""/api/catalog: what can be chosen, and the fields of each; forms are made from it."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter

from zcplatform.agent.channels import types
from zcplatform.agent.fields import Field
from zcplatform.agent.providers import FAMILIES
from zcplatform.core.roles import Permission
from zcplatform.ops.desk import Actor
from zcplatform.web import config_shapes as shapes
from zcplatform.web.actor import needs

router = APIRouter(prefix="/api/catalog", tags=["catalog"])
Reader = Annotated[Actor, needs(Permission.CATALOG_READ)]


@router.get("/providers", response_model=shapes.Families)
async def providers(_: Reader) -> shapes.Families:
    return shapes.Families(
        items=[
            shapes.Family(
                name=one.name,
                label=one.label,
                auth=[str(form) for form in one.auth],
                base_url=one.uri,
                default_base_url=one.default_uri,
                models=list(one.models),
                fields=_fields(one.fields),
                test=one.test,
                test_reason=one.test_reason,
                note=one.note,
            )
            for one in FAMILIES.values()
        ]
    )


@router.get("/channels", response_model=shapes.ChannelTypes)
async def channels(_: Reader) -> shapes.ChannelTypes:
    return shapes.ChannelTypes(
        items=[
            shapes.ChannelType(
                name=one.name,
                label=one.label,
                use=one.use,
                why_not=one.why_not,
                link=one.link,
                steps=list(one.steps),
                peer=one.peer,
                peer_example=one.peer_example,
                compiled=one.compiled,
                fields=_fields(one.fields),
            )
            for one in types().values()
        ]
    )


def _fields(known: Mapping[str, Field]) -> list[shapes.FieldShape]:
    """What somebody may fill in; what the platform decides is not offered."""
    return [
        shapes.FieldShape(
            name=one.name,
            type=one.type,
            help=one.help,
            is_secret=one.secret,
            is_needed=one.needed,
            default=one.preset if one.preset is not None else one.default,
            choices=list(one.choices),
        )
        for one in known.values()
        if one.closed is None and one.fixed is None
    ]
