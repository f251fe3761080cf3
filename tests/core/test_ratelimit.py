"""Token buckets: a minute's worth at once, then evenly; keys do not touch each other; memory is bounded."""

from zcplatform.core.ratelimit import Buckets


def test_a_minute_s_worth_at_once_and_then_evenly() -> None:
    buckets = Buckets(60)
    assert [buckets.take("a", 0.0) for _ in range(60)] == [0.0] * 60
    assert buckets.take("a", 0.0) == 1.0
    assert buckets.take("a", 0.75) == 0.25
    assert buckets.take("a", 1.0) == 0.0
    assert buckets.take("a", 1.0) == 1.0


def test_a_refused_one_costs_nothing_and_others_are_not_touched() -> None:
    buckets = Buckets(60)
    for _ in range(1_000):
        buckets.take("a", 0.0)
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.take("a", 1.0) == 0.0


def test_what_was_saved_up_has_an_end_and_a_clock_that_jumps_back_gives_nothing() -> None:
    buckets = Buckets(2)
    assert [buckets.take("a", 10_000.0) == 0.0 for _ in range(3)] == [True, True, False]
    assert buckets.take("a", 0.0) > 0


def test_it_remembers_a_bounded_number_of_keys() -> None:
    buckets = Buckets(1, most_keys=10)
    assert buckets.take("busy", 0.0) == 0.0
    for number in range(1_000):
        buckets.take(str(number), 0.0)
        assert buckets.take("busy", 0.0) > 0, "who keeps asking is not forgotten"
    assert len(buckets) == 10
