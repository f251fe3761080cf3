"""What the worker measures of itself, in a registry of its own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.steps = Histogram(
            "zcplatform_worker_step_seconds",
            "Time a step took, by step and outcome",
            ["step", "outcome"],
            registry=self._registry,
            buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )
        self.rounds = Counter("zcplatform_worker_rounds", "Looks at all tenants", registry=self._registry)
        self.round_seconds = Gauge("zcplatform_worker_round_seconds", "Time the last look at all tenants took", registry=self._registry)
        self.engine_up = Gauge("zcplatform_worker_engine_up", "Whether the container engine answered last time", registry=self._registry)
        self.edge_sets = Gauge("zcplatform_worker_edge_sets", "Documents given to the edge since the start", registry=self._registry)
        self.edge_ok_at = Gauge(
            "zcplatform_worker_edge_ok_timestamp_seconds",
            "When the edge was last seen to serve what the database says; 0 if not since the start",
            registry=self._registry,
        )
        self.edge_ok = Gauge(
            "zcplatform_worker_edge_ok",
            "Whether the last round did, and its document was kept for the edge's next start",
            registry=self._registry,
        )
        self.anchors = Counter(
            "zcplatform_worker_audit_anchors", "Attempts to anchor the audit log, by outcome", ["outcome"], registry=self._registry
        )
        self.mails = Counter("zcplatform_worker_mails", "Attempts to hand over a mail, by outcome", ["outcome"], registry=self._registry)

    def text(self) -> str:
        return generate_latest(self._registry).decode()
