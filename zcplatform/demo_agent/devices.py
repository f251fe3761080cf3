"""The registry of paired devices: a list in the data directory, for people to read and to revoke from."""

import json
import os
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Device:
    id: str
    name: str | None
    device_type: str | None
    paired_at: str
    last_seen: str
    ip_address: str | None


class Devices:
    """A missing or damaged file is an empty list: tokens matter, not their names."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[str, Device] = {}
        try:
            stored = json.loads(path.read_text("utf-8"))
            self._rows = {hashed: Device(**row) for hashed, row in stored.items()}
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            self._rows = {}

    def adopt(self, hashes: Iterable[str], at: str) -> None:
        """Tokens from the configuration that were never paired here appear as legacy devices without a name."""
        for hashed in hashes:
            if hashed not in self._rows:
                self._rows[hashed] = Device(str(uuid.uuid4()), None, "legacy", at, at, None)
        self._save()

    def add(self, hashed: str, name: str | None, kind: str | None, at: str, address: str) -> None:
        """Raises OSError."""
        self._rows[hashed] = Device(str(uuid.uuid4()), name, kind, at, at, address)
        self._save()

    def remove(self, device_id: str) -> str | None:
        """The hash of the device's token, or None if there is no such device."""
        hashed = next((hashed for hashed, device in self._rows.items() if device.id == device_id), None)
        if hashed is not None:
            del self._rows[hashed]
            self._save()
        return hashed

    def list(self) -> list[dict[str, str | None]]:
        return [asdict(device) for device in self._rows.values()]

    def _save(self) -> None:
        temporary = self._path.with_name(self._path.name + ".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({hashed: asdict(device) for hashed, device in self._rows.items()}, file)
        temporary.replace(self._path)
