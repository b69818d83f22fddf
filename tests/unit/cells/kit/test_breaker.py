"""The breaker grants everything, nothing, or one trial, and says for how long nothing."""

from cells.kit.breaker import Breaker, BreakerState


def opened(threshold: int = 3) -> Breaker:
    breaker = Breaker(threshold=threshold, open_s=5, open_max_s=12)
    for _ in range(threshold):
        breaker.failed(100.0)
    return breaker


def test_failures_in_a_row_open_it_and_a_success_between_them_does_not() -> None:
    breaker = Breaker(threshold=3)
    for failure in (True, True, False, True, True):
        breaker.failed(0.0) if failure else breaker.succeeded()
    assert breaker.grant(7, 0.0) == 7
    breaker.failed(0.0)
    assert breaker.state(0.0) is BreakerState.OPEN
    assert breaker.grant(7, 0.0) == 0


def test_after_a_while_one_trial_goes_and_no_second_beside_it() -> None:
    breaker = opened()
    assert breaker.grant(7, 104.9) == 0
    assert breaker.grant(7, 105.0) == 1
    assert breaker.grant(7, 105.0) == 0
    breaker.succeeded()
    assert breaker.grant(7, 105.0) == 7


def test_each_failed_trial_keeps_it_open_twice_as_long_up_to_a_limit() -> None:
    breaker = opened()
    now = 105.0
    for pause_s in (10, 12, 12):
        assert breaker.grant(1, now) == 1
        breaker.failed(now)
        assert breaker.grant(1, now + pause_s - 0.1) == 0
        now += pause_s


def test_a_trial_that_sent_nothing_may_be_tried_again() -> None:
    breaker = opened()
    assert breaker.grant(1, 105.0) == 1
    breaker.spared()
    assert breaker.grant(1, 105.0) == 1


def test_late_failures_of_what_went_before_do_not_prolong_it() -> None:
    breaker = opened()
    breaker.failed(104.0)
    assert breaker.state(105.0) is BreakerState.HALF_OPEN


def test_who_waits_learns_how_long() -> None:
    breaker = opened()
    assert breaker.wait_s(103.0) == 2.0
    assert breaker.wait_s(105.0) == 0.0
    assert breaker.grant(1, 105.0) == 1
    assert breaker.wait_s(105.0) == 5.0, "as if the trial had failed"
    breaker.failed(106.0)
    assert breaker.wait_s(106.0) == 10.0
    breaker.succeeded()
    assert breaker.wait_s(106.0) == 0.0


def test_a_trial_that_never_says_how_it_went_is_followed_by_another() -> None:
    breaker = opened()
    assert breaker.grant(1, 105.0) == 1
    assert breaker.grant(1, 109.9) == 0
    assert breaker.grant(1, 110.0) == 1


def test_nothing_wanted_takes_no_trial() -> None:
    breaker = opened()
    assert breaker.grant(0, 105.0) == 0
    assert breaker.grant(1, 105.0) == 1
