"""Which images may run. The root-owned settings file decides, never a row of the database."""

import re
from collections.abc import Iterable, Mapping, Sequence

LABEL_MADE_BY = "io.zcplatform.made-by"
"""On images, the instance that made them; only root can put it there. Not the label of containers: those inherit their image's labels, and a
stranger's container from our image is still a stranger's."""


_REFERENCE = re.compile(r"[a-z0-9]+(?:[._:/-]+[a-z0-9]+)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?", re.ASCII)


def is_reference(text: str) -> bool:
    """A repository with its registry, and a tag or digest: what the engine takes as the name of an image."""
    return len(text) <= 300 and _REFERENCE.fullmatch(text) is not None


_BEHIND = re.compile(r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?", re.ASCII)


def is_allowed(reference: str, repositories: Iterable[str]) -> bool:
    """The repository must be named in full; a tag or digest may follow. Text that looks like a tag may be a port: `name:5000/other` is another host."""
    return any(reference.startswith(name) and _BEHIND.fullmatch(reference, len(name)) is not None for name in repositories)


def may_run(instance: str, labels: Mapping[str, str], digests: Sequence[str], repositories: Iterable[str]) -> bool:
    """Whether the image was built here, or pulled from a repository that the settings file names.

    Engines with an image store of containerd's give images made here a digest too, under our own local name.
    """
    if any(is_allowed(digest, repositories) for digest in digests):
        return True
    return labels.get(LABEL_MADE_BY) == instance and all(digest.startswith(f"{instance}-") for digest in digests)


def demo_reference(instance: str) -> str:
    return f"{instance}-demo-agent:latest"


def built_reference(instance: str, binary: str) -> str:
    """Names the program that an image is built from; the engine's own tag cannot contain a path."""
    return f"{instance}-zeroclaw:{binary}"


def pinned(reference: str, digest: str) -> str:
    """Return the repository with the digest instead of the tag, which may point elsewhere tomorrow."""
    repository = reference.partition("@")[0]
    if ":" in repository.rpartition("/")[2]:
        repository = repository.rpartition(":")[0]
    return f"{repository}@{digest}"


def pulled_reference(instance: str, digest: str) -> str:
    """Return our own tag for a pulled image. Engines prune images without a tag."""
    return f"{instance}-pulled:{digest.removeprefix('sha256:')}"
