"""Which images may run: what the root-owned settings file names, never what a row says."""

from collections.abc import Iterable, Mapping, Sequence

from zcplatform.ids import LABEL_INSTANCE

LABEL_SOURCE = "io.zcplatform.image"
"""On images that this installation made itself; only root can put it there."""


def is_allowed(reference: str, repositories: Iterable[str]) -> bool:
    """The repository must be named in full; a tag or digest may follow."""
    return any(reference == name or reference.startswith((f"{name}:", f"{name}@")) for name in repositories)


def may_run(instance: str, labels: Mapping[str, str], digests: Sequence[str], repositories: Iterable[str]) -> bool:
    """Made here (and not pulled from anywhere), or pulled from a repository that the settings file names."""
    if digests:
        return any(is_allowed(digest, repositories) for digest in digests)
    return labels.get(LABEL_INSTANCE) == instance and LABEL_SOURCE in labels


def demo_reference(instance: str) -> str:
    return f"{instance}-demo-agent:latest"


def built_reference(instance: str, binary: str) -> str:
    """Names the program an image is made from; the engine's own tag can not hold a path."""
    return f"{instance}-zeroclaw:{binary}"
