"""What the parts of a running demo agent share, and its health report."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from zcplatform.demo_agent.config import Config
from zcplatform.demo_agent.devices import Devices
from zcplatform.demo_agent.limits import Attempts, Clock, Window
from zcplatform.demo_agent.metrics import Metrics
from zcplatform.demo_agent.pairing import Guard

COMPONENTS = ("channels", "control-plane", "daemon", "gateway", "scheduler")


@dataclass
class DemoState:
    home: Path
    config: Config
    guard: Guard
    devices: Devices
    pair_window: Window
    webhook_window: Window
    attempts: Attempts
    log: Callable[[str], None]
    metrics: Metrics = field(default_factory=Metrics)
    used_keys: dict[str, float] = field(default_factory=dict)
    """Idempotency keys of webhook calls, with the time of each."""
    started_at: str = field(default_factory=lambda: stamp())
    started: float = field(default_factory=time.monotonic)

    def health(self, *, with_errors: bool) -> dict[str, object]:
        component = {"last_ok": self.started_at, "restart_count": 0, "status": "ok", "updated_at": self.started_at}
        if with_errors:
            component["last_error"] = None
        return {
            "components": dict.fromkeys(COMPONENTS, component),
            "pid": os.getpid(),
            "updated_at": stamp(),
            "uptime_seconds": int(time.monotonic() - self.started),
        }


def make(home: Path, config: Config, log: Callable[[str], None], now: Clock = time.monotonic) -> DemoState:
    gateway = config.gateway
    guard = Guard(gateway.require_pairing, set(gateway.paired_tokens), now)
    devices = Devices(home / "data" / "devices.json")
    devices.adopt(gateway.paired_tokens, stamp())
    return DemoState(
        home=home,
        config=config,
        guard=guard,
        devices=devices,
        pair_window=Window(gateway.pair_rate_limit_per_minute, now),
        webhook_window=Window(gateway.webhook_rate_limit_per_minute, now),
        attempts=Attempts(now),
        log=log,
    )


def stamp() -> str:
    return datetime.now(UTC).isoformat()
