"""What the worker measures of itself, in a registry of its own."""

from zcplatform.measures import Registry


class Metrics:
    def __init__(self) -> None:
        registry = Registry()
        self.steps = registry.histogram(
            "zcplatform_worker_step_seconds",
            "Time a step took, by step and outcome",
            ["step", "outcome"],
            (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )
        self.rounds = registry.counter("zcplatform_worker_rounds", "Looks at all tenants").labels()
        self.round_seconds = registry.gauge("zcplatform_worker_round_seconds", "Time the last look at all tenants took").labels()
        self.engine_up = registry.gauge("zcplatform_worker_engine_up", "Whether the container engine answered last time").labels()
        self.edge_sets = registry.gauge("zcplatform_worker_edge_sets", "Documents given to the edge since the start").labels()
        self.edge_ok_at = registry.gauge(
            "zcplatform_worker_edge_ok_timestamp_seconds",
            "When the edge was last seen to serve what the database says; 0 if not since the start",
        ).labels()
        self.edge_ok = registry.gauge(
            "zcplatform_worker_edge_ok", "Whether the last round did, and its document was kept for the edge's next start"
        ).labels()
        self.anchors = registry.counter("zcplatform_worker_audit_anchors", "Attempts to anchor the audit log, by outcome", ["outcome"])
        self.mails = registry.counter("zcplatform_worker_mails", "Attempts to hand over a mail, by outcome", ["outcome"])
        self.text = registry.text
