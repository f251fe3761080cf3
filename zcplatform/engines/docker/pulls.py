"""Compute the progress of a pull from the engine's messages about each layer. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zcplatform.engines.seen import PullProgress

_DONE = ("Pull complete", "Already exists")
_OPENED = (*_DONE, "Download complete", "Extracting", "Verifying Checksum")
_BEGUN = (*_OPENED, "Pulling fs layer", "Waiting", "Downloading")


@dataclass
class _Layer:
    is_done: bool = False
    bytes: int = 0
    total_bytes: int = 0


class Layers:
    def __init__(self) -> None:
        self._layers: dict[str, _Layer] = {}

    def told(self, answer: Mapping[str, Any]) -> PullProgress:
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
        return PullProgress(
            len(found), sum(one.is_done for one in found), sum(one.bytes for one in found), sum(one.total_bytes for one in found)
        )
