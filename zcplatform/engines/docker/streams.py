"""Parse the engine's streams: JSON lines, log frames, and the lines inside those. Pure; every buffer is bounded.

The output of a container is hostile: a line may have any length and contain any bytes.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from typing import Any

_HEADER = 8
_LONGEST_DOCUMENT = 1024 * 1024
_RECORD = 16 * 1024
"""The engine cuts longer lines into records of this size, and its `local` driver forgets the line feed after the last of them."""


class BrokenStream(Exception):
    """The engine sent something that does not match the format."""


async def until_ended(chunks: AsyncGenerator[bytes, None], ended: "asyncio.Future[None]", rest_s: float) -> AsyncGenerator[bytes, None]:
    """The chunks. Once `ended` is done, whatever its outcome, the next chunk is waited for no longer than `rest_s`."""
    while True:
        chunk = asyncio.ensure_future(anext(chunks, None))
        try:
            await asyncio.wait((chunk, ended), return_when=asyncio.FIRST_COMPLETED)
            if not chunk.done():
                await asyncio.wait((chunk,), timeout=rest_s)
            if not chunk.done() or (content := chunk.result()) is None:
                return
        finally:
            if chunk.cancel():
                await asyncio.gather(chunk, return_exceptions=True)
        yield content


async def documents(chunks: AsyncIterable[bytes]) -> AsyncGenerator[dict[str, Any], None]:
    """One JSON object a line."""
    pending = b""
    async for chunk in chunks:
        *complete, pending = (pending + chunk).split(b"\n")
        if len(pending) > _LONGEST_DOCUMENT:
            raise BrokenStream("a line without end")
        for line in complete:
            if line.strip():
                yield _document(line)
    if pending.strip():
        yield _document(pending)


async def frame_lines(chunks: AsyncIterable[bytes], longest: int) -> AsyncGenerator[bytes, None]:
    """Lines of a container without a terminal, standard output and error as they came; what exceeds `longest` bytes is cut off."""
    lines = {1: _Line(longest), 2: _Line(longest)}
    async with aclosing(_payloads(chunks)) as payloads:
        async for stream, payload, is_end in payloads:
            *complete, rest = payload.split(b"\n")
            line = lines.setdefault(stream, _Line(longest))
            for part in complete:
                line.add(part)
                yield line.take()
            line.add(rest)
            if is_end and line.content:
                yield line.take()
    for line in lines.values():
        if line.content:
            yield line.take()


class _Line:
    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.content = b""

    def add(self, part: bytes) -> None:
        self.content += part[: self.longest - len(self.content)]

    def take(self) -> bytes:
        content, self.content = self.content.removesuffix(b"\r"), b""
        return content


async def _payloads(chunks: AsyncIterable[bytes]) -> AsyncGenerator[tuple[int, bytes, bool], None]:
    """Frames piece by piece, so that one that claims 4 GB is never held; True with the last piece of what must end a line."""
    header, stream, length, left = b"", 0, 0, 0
    async for chunk in chunks:
        rest = chunk
        while rest:
            if left == 0:
                header, rest = header + rest[: _HEADER - len(header)], rest[_HEADER - len(header) :]
                if len(header) == _HEADER:
                    stream, length, header = header[0], int.from_bytes(header[4:], "big"), b""
                    left = length
                    if stream > 3:
                        raise BrokenStream("not a log frame")
                continue
            piece, rest = rest[:left], rest[left:]
            left -= len(piece)
            yield stream, piece, left == 0 and length < _RECORD


def _document(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        raise BrokenStream("a line that is not JSON") from None
    if not isinstance(value, dict):
        raise BrokenStream("a line that is not an object")
    return value
