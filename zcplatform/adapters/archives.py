"""Pack and unpack a tenant's files as a tar stream, with a program that runs as the tenant's own uid.

Therefore nothing in the tree can make root read, follow or write anything: only what that uid may access is accessed.
"""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

from zcplatform.errors import StepFailed

_CHUNK = 256 * 1024
_SILENCE_S = 120


async def pack(folder: Path, uid: int) -> AsyncGenerator[bytes, None]:
    """Pack or unpack a tree. Raises StepFailed `workspace.unusable`."""
    process = await _tar(uid, "--create", "--file=-", "--one-file-system", "--sparse", f"--directory={folder}", ".")
    output = cast("asyncio.StreamReader", process.stdout)
    try:
        while True:
            async with asyncio.timeout(_SILENCE_S):
                part = await output.read(_CHUNK)
            if not part:
                break
            yield part
        await _check(process, folder)
    except TimeoutError:
        raise StepFailed("workspace.unusable", f"Reading {folder} made no progress for {_SILENCE_S} s", "Check its disk") from None
    finally:
        await _end(process)


async def unpack(folder: Path, uid: int, parts: AsyncGenerator[bytes, None]) -> None:
    """Pack or unpack a tree. Raises StepFailed `workspace.unusable`."""
    process = await _tar(uid, "--extract", "--file=-", "--no-same-owner", "--keep-old-files", f"--directory={folder}")
    pipe = cast("asyncio.StreamWriter", process.stdin)
    try:
        async for part in parts:
            pipe.write(part)
            async with asyncio.timeout(_SILENCE_S):
                await pipe.drain()
        pipe.close()
        await _check(process, folder)
    except (ConnectionError, TimeoutError):
        raise StepFailed("workspace.unusable", f"{folder} could not be filled: the stream broke off", "Check its disk") from None
    finally:
        await _end(process)


async def _tar(uid: int, *arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        "tar", *arguments, user=uid, group=uid, extra_groups=[], cwd="/", stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )


async def _check(process: Process, folder: Path) -> None:
    """Accept status 1 of tar: a file changed while it was read."""
    async with asyncio.timeout(_SILENCE_S):
        status = await process.wait()
    if status > 1:
        raise StepFailed("workspace.unusable", f"tar failed on {folder} with status {status}", "Check its disk")


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()
