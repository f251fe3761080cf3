"""What carries our labels, of instance and tenant or of a check, and belongs to nobody: removed. What does not carry it is never touched."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from zcplatform.ids import LABEL_INSTANCE, LABEL_TENANT, LABEL_THROWAWAY, TenantId


@dataclass(frozen=True)
class Labelled:
    """A container or network, as far as the sweep looks."""

    id: str
    name: str
    labels: Mapping[str, str]


def orphans(instance: str, found: Iterable[Labelled], names: Mapping[TenantId, str]) -> list[Labelled]:
    """What to remove. `names` maps each tenant id that is not deleted to the one name its object may have."""
    return [
        thing
        for thing in found
        if thing.labels.get(LABEL_INSTANCE) == instance
        and (LABEL_TENANT in thing.labels or LABEL_THROWAWAY in thing.labels)
        and names.get(TenantId(thing.labels.get(LABEL_TENANT, ""))) != thing.name
    ]
