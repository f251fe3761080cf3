import pytest

from zcplatform.metrics import Registry


def test_what_was_counted_is_told_as_prometheus_text() -> None:
    registry = Registry()
    rounds, up = registry.counter("rounds", "Looks").labels(), registry.gauge("up", "Whether it answers", ["name"])
    rounds.inc()
    up.labels('a\n"b\\').set(0.5)
    assert registry.text() == (
        "# HELP rounds_total Looks\n# TYPE rounds_total counter\nrounds_total 1.0\n"
        '# HELP up Whether it answers\n# TYPE up gauge\nup{name="a\\n\\"b\\\\"} 0.5\n'
    )


def test_buckets_count_everything_up_to_their_bound() -> None:
    registry = Registry()
    took = registry.histogram("took", "Time", ["step"], (0.5, 1)).labels("look")
    for value in (0.25, 0.5, 0.75, 4):
        took.observe(value)
    assert registry.text().splitlines()[2:] == [
        'took_bucket{step="look",le="0.5"} 2.0',
        'took_bucket{step="look",le="1.0"} 3.0',
        'took_bucket{step="look",le="+Inf"} 4.0',
        'took_count{step="look"} 4.0',
        'took_sum{step="look"} 5.5',
    ]


def test_what_is_not_there_any_more_is_not_told() -> None:
    registry = Registry()
    tenants = registry.gauge("tenants", "By state", ["state"])
    tenants.labels("running").set(2)
    tenants.clear()
    assert registry.text() == "# HELP tenants By state\n# TYPE tenants gauge\n"


def test_labels_get_all_their_values() -> None:
    with pytest.raises(ValueError, match="has the labels"):
        Registry().counter("mails", "Sent", ["outcome"]).labels()
