"""Assemble a root file system and write it as one reproducible tar (sorted, without times, owned by root)."""

import io
import stat
import tarfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

TIME = 0


@dataclass(frozen=True)
class _Entry:
    kind: bytes
    mode: int
    content: bytes | Path = b""
    target: str = ""


@dataclass
class Tree:
    """A tree of files. Names are relative to the root, without `..`; parents are added automatically."""

    _entries: dict[str, _Entry] = field(default_factory=dict)

    def text(self, name: str, content: str, mode: int = 0o644) -> None:
        self._put(name, _Entry(tarfile.REGTYPE, mode, content.encode()))

    def file(self, name: str, source: Path, mode: int = 0o644) -> None:
        """Add a file with the bytes that `source` has when the tar is written. Symbolic links are followed."""
        self._put(name, _Entry(tarfile.REGTYPE, mode, source))

    def link(self, name: str, target: str) -> None:
        self._put(name, _Entry(tarfile.SYMTYPE, 0o777, target=target))

    def directory(self, name: str, mode: int = 0o755) -> None:
        self._put(name, _Entry(tarfile.DIRTYPE, mode))

    def folder(self, name: str, source: Path) -> None:
        """Add all regular files below `source`. Links and everything else are omitted: they could lead anywhere."""
        for path in sorted(source.rglob("*")):
            if stat.S_ISREG(path.lstat().st_mode) and not any(
                (source / parent).is_symlink() for parent in path.relative_to(source).parents
            ):
                self.file(f"{name}/{path.relative_to(source)}", path)

    def has(self, name: str) -> bool:
        return name in self._entries

    def _put(self, name: str, entry: _Entry) -> None:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ValueError(f"{name!r} is not a name below the root")
        for parent in reversed(path.parents[:-1]):
            self._entries.setdefault(str(parent), _Entry(tarfile.DIRTYPE, 0o755))
        self._entries[str(path)] = entry

    def write(self, out: Path) -> None:
        """Write the tar, completely or not at all."""
        part = out.with_name(out.name + ".part")
        try:
            with tarfile.open(part, "w", format=tarfile.GNU_FORMAT) as archive:
                for name, entry in sorted(self._entries.items()):
                    _add(archive, name, entry)
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, entry: _Entry) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime, info.linkname = entry.kind, entry.mode, TIME, entry.target
    info.uname = info.gname = "root"
    if isinstance(entry.content, Path):
        with entry.content.open("rb") as file:
            info.size = file.seek(0, io.SEEK_END)
            file.seek(0)
            archive.addfile(info, file)
    else:
        info.size = len(entry.content)
        archive.addfile(info, io.BytesIO(entry.content))
