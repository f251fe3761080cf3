"""What the program in an image says of itself: its version, and the channels it has compiled in."""

from dataclasses import dataclass

from zcplatform.agent import compiled_channels, versions
from zcplatform.core.container import probe_body
from zcplatform.errors import PlatformError
from zcplatform.ids import ImageId
from zcplatform.log import logger
from zcplatform.worker.deps import Deps
from zcplatform.worker.images.throwaway import remove, run_once


@dataclass(frozen=True)
class Told:
    """None for what it did not say."""

    version: str | None
    channels: tuple[str, ...] | None


async def probe(deps: Deps, image_id: ImageId, engine_id: str) -> Told:
    """An image that can not be asked is not refused: its first start shows."""
    name = deps.names.probe(image_id)
    deps.active_checks.add(name)
    try:
        code, printed = await run_once(deps, name, probe_body(deps.names, engine_id, ("--version",)))
        version = _version(printed) if code == 0 else None
        code, printed = await run_once(deps, name, probe_body(deps.names, engine_id, compiled_channels.COMMAND))
        return Told(version, compiled_channels.types(printed) if code == 0 else None)
    except PlatformError as error:
        logger.warning("an image's program did not say what it is", image=engine_id, error=error.detail)
        return Told(None, None)
    finally:
        await _remove(deps, name)
        deps.active_checks.discard(name)


async def _remove(deps: Deps, name: str) -> None:
    try:
        await remove(deps, name)
    except PlatformError as error:
        logger.warning("a probe's container stays for the next look", container=name, error=error.detail)


def _version(printed: str) -> str | None:
    try:
        return str(versions.parse(printed))
    except versions.NotAVersion:
        return None
