"""The breaker of one cell: opens after failures in a row, tries again one request at a time, and closes on any answer."""

from router.edge.breaker import Breaker


def _opened() -> Breaker:
    breaker = Breaker(threshold=3, open_s=1.0, open_max_s=4.0)
    for _ in range(3):
        assert breaker.wait_s(10.0) == 0.0
        breaker.failed(10.0)
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(threshold=3)
    for _ in range(5):
        breaker.failed(1.0)
        breaker.failed(1.0)
        breaker.succeeded()
    assert not breaker.is_open
    assert breaker.wait_s(1.0) == 0.0


def test_open_it_says_how_long_to_wait() -> None:
    assert _opened().wait_s(10.25) == 0.75


def test_after_the_pause_one_may_try_and_the_others_wait() -> None:
    breaker = _opened()
    assert breaker.wait_s(11.0) == 0.0
    assert breaker.wait_s(11.0) == 1.0
    breaker.succeeded()
    assert breaker.wait_s(11.0) == 0.0
    assert not breaker.is_open


def test_each_failed_trial_doubles_the_pause_up_to_its_bound() -> None:
    breaker, now = _opened(), 11.0
    for pause in (2.0, 4.0, 4.0):
        assert breaker.wait_s(now) == 0.0
        breaker.failed(now)
        assert breaker.wait_s(now) == pause
        now += pause


def test_what_was_under_way_when_it_opened_does_not_lengthen_the_pause() -> None:
    breaker = _opened()
    breaker.failed(10.5)
    assert breaker.wait_s(11.0) == 0.0


def test_a_trial_that_never_says_how_it_went_is_followed_by_another() -> None:
    breaker = _opened()
    assert breaker.wait_s(11.0) == 0.0
    assert breaker.wait_s(12.0) == 0.0
