"""`If-Match` on changes of settings: the revision that a change starts from, so that two editors do not overwrite each other."""

import re
from typing import Annotated

from fastapi import Depends, Header

from zcplatform.errors import BadInput
from zcplatform.ops import revisions
from zcplatform.ops.context import Call

_TAG = re.compile(r'(?:W/)?"?([0-9]{1,15})"?', re.ASCII)


def etag(revision: int) -> str:
    return f'"{revision}"'


def _base_revision(
    if_match: Annotated[
        str | None, Header(max_length=40, description='The revision that this change starts from, as `ETag` of the settings: `"7"`')
    ] = None,
) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        why = "is not the number of a revision"
        raise BadInput("request.if_match", f"If-Match {why}", 'for example If-Match: "7"', fields={"If-Match": why})
    return int(found[1])


BaseRevision = Annotated[int | None, Depends(_base_revision)]


def require_base(call: Call, tenant: str, base: int | None) -> None:
    """Raises Outdated (412), naming what changed, if the settings are no longer those of this revision."""
    if base is not None:
        revisions.require_current(call, tenant, base)
