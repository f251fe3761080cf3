"""Metrics of the worker, in a registry of their own."""

from collections.abc import Sequence

from zcplatform.metrics import Registry
from zcplatform.worker.edge import EdgeStatus
from zcplatform.worker.loop import LoopStatus


class Metrics:
    def __init__(self) -> None:
        registry = Registry()
        self.steps = registry.histogram(
            "zcplatform_worker_step_seconds",
            "Time a step took, by step and outcome",
            ["step", "outcome"],
            (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )
        self.rounds = registry.counter("zcplatform_worker_rounds", "Rounds of the reconcile loop").labels()
        self.round_seconds = registry.gauge("zcplatform_worker_round_seconds", "Time the last round of the reconcile loop took").labels()
        self.engine_up = registry.gauge("zcplatform_worker_engine_up", "Whether the container engine answered at the last call").labels()
        self.edge_sets = registry.gauge("zcplatform_worker_edge_sets", "Documents sent to the edge since the start").labels()
        self.edge_ok_at = registry.gauge(
            "zcplatform_worker_edge_ok_timestamp_seconds",
            "When the edge last served the desired document; 0 if not since the start",
        ).labels()
        self.edge_ok = registry.gauge(
            "zcplatform_worker_edge_ok", "Whether the edge serves the desired document, and it is saved for the edge's next start"
        ).labels()
        self.anchors = registry.counter("zcplatform_worker_audit_anchors", "Attempts to anchor the audit log, by outcome", ["outcome"])
        self.mails = registry.counter("zcplatform_worker_mails", "Attempts to send a mail, by outcome", ["outcome"])
        self._loop_rounds = registry.gauge("zcplatform_worker_loop_rounds", "Rounds of a loop since the start", ["loop"])
        self._loop_failures = registry.gauge("zcplatform_worker_loop_failures", "Failed rounds since the last successful one", ["loop"])
        self._loop_late = registry.gauge("zcplatform_worker_loop_late", "Whether a round is overdue or takes too long", ["loop"])
        self._loop_seconds = registry.gauge("zcplatform_worker_loop_seconds", "Time the last round took", ["loop"])
        self.text = registry.text

    def set_edge(self, status: EdgeStatus) -> None:
        self.edge_sets.set(status.sets)
        self.edge_ok_at.set(status.last_ok_at.timestamp() if status.last_ok_at is not None else 0)
        self.edge_ok.set(status.last_ok_at is not None and status.last_error is None)

    def set_loops(self, statuses: Sequence[LoopStatus]) -> None:
        for status in statuses:
            self._loop_rounds.labels(status.name).set(status.rounds)
            self._loop_failures.labels(status.name).set(status.failures)
            self._loop_late.labels(status.name).set(status.is_late)
            self._loop_seconds.labels(status.name).set(status.duration_s or 0)
