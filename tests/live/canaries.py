"""Search for a secret wherever bytes are stored, in each form it may have."""

import os
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote

WINDOW = 8 << 20


def canary() -> str:
    """Its beginning and end change when they are URL-encoded; what is between is found once in the world."""
    return f"sk-/{token_hex(16)}+="


def forms(value: str) -> dict[str, bytes]:
    """What to look for. In base64 three characters at each end depend on what stands next to the value: they are left out."""
    raw = value.encode()
    found = {
        "raw": raw,
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "url": quote(value, safe="").encode(),
        "utf-16-le": value.encode("utf-16-le"),
        "utf-16-be": value.encode("utf-16-be"),
    }
    for shift in range(3):
        found[f"base64+{shift}"] = b64encode(bytes(shift) + raw)[4:-4]
    return found


def found_in(data: bytes, values: dict[str, str]) -> set[str]:
    """Names of values and forms that are in it."""
    return {f"{name} as {form}" for name, value in values.items() for form, needle in forms(value).items() if needle in data}


def found_in_file(path: Path, values: dict[str, str]) -> set[str]:
    """As `found_in`, for what is too large for memory; holes of a sparse file are passed over."""
    found: set[str] = set()
    for data in _windows(path):
        found |= found_in(data, values)
    return found


def found_in_trees(roots: list[Path], values: dict[str, str]) -> set[str]:
    found = set()
    for root in roots:
        for path in [root, *root.rglob("*")]:
            if path.is_file() and not path.is_symlink():
                found |= {f"{path}: {one}" for one in found_in_file(path, values)}
    return found


def found_in_processes(values: dict[str, str]) -> set[str]:
    """Arguments and environment of every process but our own."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                found |= {f"{process}/{name}: {one}" for one in found_in((process / name).read_bytes(), values)}
            except OSError:
                continue
    return found


def memory(pid: int) -> Iterator[bytes]:
    """All that a process has in its memory and may read."""
    with open(f"/proc/{pid}/mem", "rb", 0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            begin, end = (int(part, 16) for part in span.split("-"))
            if rights[0] != "r" or end > 1 << 47:
                continue
            try:
                file.seek(begin)
                yield file.read(end - begin)
            except OSError:
                continue


def _windows(path: Path) -> Iterator[bytes]:
    """Pieces that overlap, so that nothing is cut between two."""
    with path.open("rb") as file:
        at, size = 0, path.stat().st_size
        while at < size:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                return
            file.seek(at)
            data = file.read(WINDOW)
            if not data:
                return
            yield data
            at += len(data) if at + len(data) >= size else max(len(data) - 4096, 1)
