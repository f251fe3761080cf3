"""The engine's stream formats, cut anywhere, and with what a hostile container prints in them."""

import json
from collections.abc import AsyncIterator, Iterable

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcplatform.engines.docker.streams import BrokenStream, documents, frame_lines

LONGEST = 50


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


async def pieces(content: bytes, sizes: Iterable[int]) -> AsyncIterator[bytes]:
    for size in sizes:
        yield content[:size]
        content = content[size:]
    yield content


def lines(content: bytes, sizes: Iterable[int] = (), longest: int = LONGEST) -> list[bytes]:
    async def collect() -> list[bytes]:
        return [line async for line in frame_lines(pieces(content, sizes), longest)]

    return anyio.run(collect)


def objects(content: bytes, sizes: Iterable[int] = ()) -> list[dict[str, object]]:
    async def collect() -> list[dict[str, object]]:
        return [answer async for answer in documents(pieces(content, sizes))]

    return anyio.run(collect)


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=80))), st.lists(st.integers(0, 20), max_size=30))
def test_where_the_stream_is_cut_does_not_matter(frames: list[tuple[int, bytes]], sizes: list[int]) -> None:
    content = b"".join(frame(stream, payload) for stream, payload in frames)
    found = lines(content, sizes)
    assert found == lines(content)
    assert all(len(line) <= LONGEST and b"\n" not in line for line in found)


def test_lines_are_lines() -> None:
    assert lines(frame(1, b"one\ntwo\r\n\nthree")) == [b"one", b"two", b"", b"three"]


def test_output_and_errors_do_not_mix_in_one_line() -> None:
    record = b"x" * 16384
    assert lines(frame(1, record) + frame(2, b"error\n") + frame(1, b"end\n")) == [b"error", b"x" * LONGEST]


def test_a_long_line_comes_as_several_records_and_is_one_line() -> None:
    assert lines(frame(1, b"a" * 16384) + frame(1, b"bb") + frame(1, b"next\n")) == [b"a" * LONGEST, b"next"]


def test_a_frame_that_claims_four_gigabytes_is_not_waited_for() -> None:
    assert lines(b"\x01\0\0\0\xff\xff\xff\xff" + b"a\nb\nc") == [b"a", b"b", b"c"]


def test_what_is_no_frame_is_said_so() -> None:
    with pytest.raises(BrokenStream):
        lines(b"HTTP/1.1 200 OK\r\n\r\n")


@given(st.lists(st.dictionaries(st.text(max_size=5), st.integers())), st.lists(st.integers(0, 10), max_size=20))
def test_documents_cut_anywhere(answers: list[dict[str, int]], sizes: list[int]) -> None:
    content = "\r\n".join(json.dumps(answer) for answer in answers).encode()
    assert objects(content, sizes) == answers


@pytest.mark.parametrize("content", [b"{", b"[]\n", b"nonsense\n", b"1", b"\xff\n"])
def test_what_is_no_object_is_said_so(content: bytes) -> None:
    with pytest.raises(BrokenStream):
        objects(content)


def test_a_document_without_end_is_not_collected() -> None:
    with pytest.raises(BrokenStream):
        objects(b"{" + b" " * 3_000_000, [500_000] * 6)
