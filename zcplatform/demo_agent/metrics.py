"""The agent's counters in Prometheus' text format, under the real agent's names and labels. A family without samples is absent."""

from collections import Counter
from dataclasses import dataclass, field

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
DISABLED = '# Prometheus backend not enabled. Set [observability] backend = "prometheus" in config.\n'

_LATENCY = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_DURATION = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60)
_HELP = {
    "zeroclaw_agent_starts_total": "Total agent invocations",
    "zeroclaw_errors_total": "Total errors by component",
    "zeroclaw_heartbeat_ticks_total": "Total heartbeat ticks",
    "zeroclaw_llm_requests_total": "Total LLM model_provider requests",
    "zeroclaw_tokens_input_total": "Total input tokens consumed",
    "zeroclaw_tokens_output_total": "Total output tokens consumed",
}


@dataclass
class Histogram:
    bounds: tuple[float, ...]
    counts: Counter[float] = field(default_factory=Counter)
    total: int = 0
    sum: float = 0.0

    def observe(self, seconds: float) -> None:
        self.total += 1
        self.sum += seconds
        for bound in self.bounds:
            self.counts[bound] += seconds <= bound

    def lines(self, name: str, labels: str) -> list[str]:
        before = labels + "," if labels else ""
        around = "{" + labels + "}" if labels else ""
        return [
            *(f'{name}_bucket{{{before}le="{bound:g}"}} {self.counts[bound]}' for bound in self.bounds),
            f'{name}_bucket{{{before}le="+Inf"}} {self.total}',
            f"{name}_sum{around} {self.sum:g}",
            f"{name}_count{around} {self.total}",
        ]


@dataclass
class Metrics:
    counters: Counter[tuple[str, str]] = field(default_factory=Counter)
    durations: dict[str, Histogram] = field(default_factory=dict)
    latency: Histogram = field(default_factory=lambda: Histogram(_LATENCY))
    last_tokens: int = 0

    def started(self, provider: str, model: str) -> None:
        self.counters["zeroclaw_agent_starts_total", _labels(model=model, model_provider=provider)] += 1

    def answered(self, provider: str, model: str, tokens: tuple[int, int], seconds: float) -> None:
        who = {"model": model, "model_provider": provider}
        self.counters["zeroclaw_llm_requests_total", _labels(**who, success="true")] += 1
        self.counters["zeroclaw_tokens_input_total", _labels(**who)] += tokens[0]
        self.counters["zeroclaw_tokens_output_total", _labels(**who)] += tokens[1]
        self.last_tokens = sum(tokens)
        self._took(who, seconds)

    def failed(self, provider: str, model: str, seconds: float) -> None:
        who = {"model": model, "model_provider": provider}
        self.counters["zeroclaw_llm_requests_total", _labels(**who, success="false")] += 1
        self._took(who, seconds)

    def error(self, component: str) -> None:
        self.counters["zeroclaw_errors_total", _labels(component=component)] += 1

    def _took(self, who: dict[str, str], seconds: float) -> None:
        self.durations.setdefault(_labels(**who), Histogram(_DURATION)).observe(seconds)

    def text(self) -> str:
        families: dict[str, list[str]] = {"zeroclaw_heartbeat_ticks_total": ["zeroclaw_heartbeat_ticks_total 0"]}
        for (name, labels), value in sorted(self.counters.items()):
            families.setdefault(name, []).append(f"{name}{{{labels}}} {value}")
        blocks = {name: [f"# HELP {name} {_HELP[name]}", f"# TYPE {name} counter", *lines] for name, lines in families.items()}
        for labels, histogram in sorted(self.durations.items()):
            name = "zeroclaw_agent_duration_seconds"
            head = [f"# HELP {name} Agent invocation duration in seconds", f"# TYPE {name} histogram"]
            blocks.setdefault(name, head).extend(histogram.lines(name, labels))
        name = "zeroclaw_request_latency_seconds"
        blocks[name] = [f"# HELP {name} Request latency in seconds", f"# TYPE {name} histogram", *self.latency.lines(name, "")]
        name = "zeroclaw_tokens_used_last"
        blocks[name] = [f"# HELP {name} Tokens used in the last request", f"# TYPE {name} gauge", f"{name} {self.last_tokens}"]
        return "\n".join(line for name in sorted(blocks) for line in blocks[name]) + "\n"


def _labels(**labels: str) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items()))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
