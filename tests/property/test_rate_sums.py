"""The sums of a rate: over any times and askings, no window lets more through than its burst and its refill."""

from hypothesis import example, given
from hypothesis import strategies as st

from cells.kit.gcra import NEARLY, PERIOD_US, Meter, allowances, grant, interval_us

QUOTAS = st.sampled_from([1, 7, 100, 500, 2_000, 100_000_000])
STEPS = st.lists(st.tuples(st.integers(0, PERIOD_US), st.integers(1, 300)), max_size=40)


@given(QUOTAS, STEPS)
@example(1, [(0, 1), (PERIOD_US - 60, 1)])
def test_what_passes_is_the_burst_and_the_refill_and_no_more(quota: int, steps: list[tuple[int, int]]) -> None:
    meter, now, passed = Meter(), 1_000_000_000, 0
    began = now
    for pause, wanted in steps:
        now += pause
        granted = meter.take("a", quota, now, wanted)
        assert 0 <= granted.admitted <= wanted
        assert granted.debt_us <= PERIOD_US + 1 + NEARLY * interval_us(quota)
        passed += granted.admitted
        assert passed <= quota + (now - began) / interval_us(quota) + 1e-3
        if granted.admitted < wanted:
            assert meter.full("a", quota, now)
            assert not meter.full("b", quota, now)


@given(QUOTAS.filter(lambda quota: PERIOD_US % quota == 0), st.integers(0, 300), st.integers(1, 300))
def test_a_batch_is_told_what_one_after_the_other_would_have_been(quota: int, before: int, wanted: int) -> None:
    arrival = grant(0, 1_000_000_000, quota, before)[1]
    together, _ = grant(arrival, 1_000_000_000, quota, wanted)
    told = allowances(together, quota, wanted)
    alone, arrived = [], arrival
    for _ in range(wanted):
        one, arrived = grant(arrived, 1_000_000_000, quota, 1)
        alone += allowances(one, quota, 1)
    assert [(one.allowed, one.remaining) for one in told] == [(one.allowed, one.remaining) for one in alone]


@given(QUOTAS)
def test_who_waits_as_told_gets_through(quota: int) -> None:
    _, arrival = grant(0, 1_000_000_000, quota, quota)
    refused, arrival = grant(arrival, 1_000_000_000, quota, 1)
    [told] = allowances(refused, quota, 1)
    assert not told.allowed
    assert told.remaining == 0
    assert grant(arrival, 1_000_000_000 + told.wait_s * 1_000_000, quota, 1)[0].admitted == 1


def test_the_meter_forgets_whom_it_heard_from_longest_ago() -> None:
    meter = Meter(size_max=2)
    for name in ("a", "b", "c"):
        assert meter.take(name, 1, 0.0).admitted == 1
    assert not meter.full("a", 1, 0.0)
    assert meter.full("c", 1, 0.0)
