"""Which images may run: what the root-owned settings file names, never what a row says."""

from collections.abc import Iterable, Mapping, Sequence

LABEL_MADE_BY = "io.zcplatform.made-by"
"""On images, the instance that made them; only root can put it there. Not the label of containers: those inherit their image's labels, and a
stranger's container from our image is still a stranger's."""


def is_allowed(reference: str, repositories: Iterable[str]) -> bool:
    """The repository must be named in full; a tag or digest may follow."""
    return any(reference == name or reference.startswith((f"{name}:", f"{name}@")) for name in repositories)


def may_run(instance: str, labels: Mapping[str, str], digests: Sequence[str], repositories: Iterable[str]) -> bool:
    """Made here (and not pulled from anywhere), or pulled from a repository that the settings file names."""
    if digests:
        return any(is_allowed(digest, repositories) for digest in digests)
    return labels.get(LABEL_MADE_BY) == instance


def demo_reference(instance: str) -> str:
    return f"{instance}-demo-agent:latest"


def built_reference(instance: str, binary: str) -> str:
    """Names the program an image is made from; the engine's own tag can not hold a path."""
    return f"{instance}-zeroclaw:{binary}"
