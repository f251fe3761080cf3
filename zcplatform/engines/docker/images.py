"""A place's images, in the Docker engine of its machine."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from zcplatform.engines.docker.client import Docker
from zcplatform.engines.seen import ImageSeen, PullProgress


class DockerImages:
    _docker: Docker

    async def image(self, reference: str) -> ImageSeen | None:
        return await self._docker.image(reference)

    async def registry_digest(self, reference: str) -> str:
        return await self._docker.digest(reference)

    def pull_image(self, reference: str) -> AsyncGenerator[PullProgress, None]:
        return self._docker.pull(reference)

    async def name_image(self, reference: str, name: str) -> None:
        await self._docker.tag(reference, name)

    async def add_image(self, tar: Path, changes: Sequence[str], name: str) -> str:
        return await self._docker.import_image(tar, changes, name)

    async def remove_image(self, reference: str) -> None:
        await self._docker.remove_image(reference)
