"""The images of a simulated place. There is no registry: only demo images can be prepared."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from zcplatform.engines.seen import ImageSeen, PullProgress
from zcplatform.engines.simulated.faults import Faults, call
from zcplatform.engines.simulated.world import World
from zcplatform.errors import StepFailed


class SimulatedImages:
    world: World
    faults: Faults

    # Images

    @call()
    async def image(self, reference: str) -> ImageSeen | None:
        return self.world.images.get(reference)

    async def registry_digest(self, reference: str) -> str:
        raise StepFailed("registry.unreachable", f"A simulation reaches no registry for `{reference}`", "zcplatform images demo")

    async def pull_image(self, reference: str) -> AsyncGenerator[PullProgress, None]:
        raise StepFailed("registry.unreachable", f"A simulation reaches no registry for `{reference}`", "zcplatform images demo")
        yield PullProgress()

    @call()
    async def name_image(self, reference: str, name: str) -> None:
        self.world.images[name] = self.world.images[reference]

    @call(false_answer="sha256:" + "0" * 64)
    async def add_image(self, tar: Path, changes: Sequence[str], name: str) -> str:
        del tar, changes
        return self.world.add_image(name).id

    @call()
    async def remove_image(self, reference: str) -> None:
        found = self.world.images.get(reference)
        if any(
            remains.container is not None and found is not None and remains.container.workload.image_id == found.id
            for remains in self.world.tenants.values()
        ):
            raise StepFailed("image.in_use", f"Image {reference} is in use")
        self.world.images = {name: image for name, image in self.world.images.items() if image != found}
