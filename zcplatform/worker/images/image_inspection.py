"""Run an image's program to learn its version and the channel types compiled into it."""

from dataclasses import dataclass

from zcplatform.agent import compiled_channels, runtime, versions
from zcplatform.core.workload import Task
from zcplatform.engines.protocol import Place
from zcplatform.errors import PlatformError
from zcplatform.ids import ImageId
from zcplatform.log import logger

PURPOSE = "inspection"
MEMORY_BYTES = 128 * 1024 * 1024
PIDS = 64


@dataclass(frozen=True)
class Inspected:
    """What the program reported; None for what it did not."""

    version: str | None
    channels: tuple[str, ...] | None


async def inspect_image(place: Place, image_id: ImageId, engine_id: str, deadline_s: float) -> Inspected:
    """Inspect an image. One that cannot be inspected is not rejected: its first start shows whether it works."""
    try:
        printed = await _run(place, image_id, engine_id, ("--version",), deadline_s)
        version = _version(printed) if printed is not None else None
        printed = await _run(place, image_id, engine_id, compiled_channels.COMMAND, deadline_s)
        return Inspected(version, compiled_channels.types(printed) if printed is not None else None)
    except PlatformError as error:
        logger.warning("an image's program did not report its version or channels", image=engine_id, error=error.detail)
        return Inspected(None, None)


async def _run(place: Place, image_id: ImageId, engine_id: str, command: tuple[str, ...], deadline_s: float) -> str | None:
    """Return what the program printed, if it succeeded."""
    task = Task(
        purpose=PURPOSE,
        subject=image_id,
        image_id=engine_id,
        command=command,
        environment=runtime.BARE_CONSTANTS,
        memory_bytes=MEMORY_BYTES,
        pids=PIDS,
        deadline_s=deadline_s,
    )
    result = await place.run_once(task)
    return result.output if result.exit_code == 0 else None


def _version(printed: str) -> str | None:
    try:
        return str(versions.parse(printed))
    except versions.NotAVersion:
        return None
