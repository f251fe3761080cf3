"""Metrics of the web process."""

from collections.abc import Mapping

from zcplatform.metrics import Registry


class Metrics:
    def __init__(self) -> None:
        registry = Registry()
        self.requests = registry.histogram(
            "zcplatform_web_request_seconds",
            "Time to answer, by route template, method and status",
            ["route", "method", "status"],
            (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
        )
        self._tenants = registry.gauge("zcplatform_tenants", "Tenants by state", ["state"])
        self.text = registry.text

    def set_tenants(self, by_state: Mapping[str, int]) -> None:
        self._tenants.clear()
        for state, count in by_state.items():
            self._tenants.labels(state).set(count)
