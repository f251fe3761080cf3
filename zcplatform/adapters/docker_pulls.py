"""How far a pull is, from what the engine says of each layer. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_DONE = ("Pull complete", "Already exists")
_OPENED = (*_DONE, "Download complete", "Extracting", "Verifying Checksum")
_BEGUN = (*_OPENED, "Pulling fs layer", "Waiting", "Downloading")


@dataclass(frozen=True)
class Pulled:
    """`bytes` and `total_bytes` count the layers whose size the engine has told so far."""

    layers: int = 0
    layers_done: int = 0
    bytes: int = 0
    total_bytes: int = 0

    def __str__(self) -> str:
        """`3 of 5 layers, 12.4 of 80.2 MB`"""
        return f"{self.layers_done} of {self.layers} layers, {self.bytes / 1e6:.1f} of {self.total_bytes / 1e6:.1f} MB"


@dataclass
class _Layer:
    is_done: bool = False
    bytes: int = 0
    total_bytes: int = 0


class Layers:
    def __init__(self) -> None:
        self._layers: dict[str, _Layer] = {}

    def told(self, answer: Mapping[str, Any]) -> Pulled:
        status = answer.get("status")
        if status in _BEGUN:
            layer = self._layers.setdefault(str(answer.get("id")), _Layer())
            layer.is_done = layer.is_done or status in _DONE
            if status == "Downloading":
                told = answer.get("progressDetail") or {}
                layer.bytes, layer.total_bytes = int(told.get("current") or 0), int(told.get("total") or layer.total_bytes)
            elif status in _OPENED:
                layer.bytes = layer.total_bytes
        found = self._layers.values()
        return Pulled(len(found), sum(one.is_done for one in found), sum(one.bytes for one in found), sum(one.total_bytes for one in found))
