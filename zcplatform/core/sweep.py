"""Decide which containers and networks to remove: those with our labels that belong to no tenant. Without our labels nothing is ever touched."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zcplatform.ids import LABEL_INSTANCE, LABEL_TENANT, LABEL_THROWAWAY, TenantId


@dataclass(frozen=True)
class Labelled:
    """A container or network, reduced to what the sweep needs."""

    id: str
    name: str
    labels: Mapping[str, str]


def orphans(instance: str, found: Iterable[Labelled], names: Mapping[TenantId, str]) -> list[Labelled]:
    """Return what to remove. `names` maps each tenant id that is not deleted to the one name its object may have."""
    return [
        thing
        for thing in found
        if thing.labels.get(LABEL_INSTANCE) == instance
        and (LABEL_TENANT in thing.labels or LABEL_THROWAWAY in thing.labels)
        and names.get(TenantId(thing.labels.get(LABEL_TENANT, ""))) != thing.name
    ]
