"""Who may be sent to next: places by endpoint, by tenant, and for those that last failed. Pure."""

from actors.workers.webhooks import Bounds, places_of
from cells.webhooks.store import Delivery

BOUNDS = Bounds(in_flight_max=64, per_endpoint_max=8, per_tenant_max=16, failing_max=24)


def to(tenant: str, endpoint: str, count: int = 1) -> list[Delivery]:
    return [Delivery(f"evt_{number}", endpoint, tenant, 1, f"tr_{number}", 2) for number in range(count)]


def test_at_rest_one_endpoint_may_take_its_share_and_no_more() -> None:
    assert places_of([], frozenset(), BOUNDS).limit == 8
    assert places_of(to("a", "a1", 5), frozenset(), BOUNDS).limit == 3
    full = places_of(to("a", "a1", 8), frozenset(), BOUNDS)
    assert (full.not_endpoints, full.not_tenants, full.limit) == (["a1"], [], 8)


def test_a_tenant_of_many_endpoints_takes_its_share_and_no_more() -> None:
    many = [one for number in range(15) for one in to("a", f"a{number}")]
    assert places_of(many, frozenset(), BOUNDS).limit == 1, "all of it may go to that tenant"
    full = places_of([*many, *to("a", "a0")], frozenset(), BOUNDS)
    assert (full.not_tenants, full.limit) == (["a"], 6)


def test_endpoints_that_failed_have_one_place_each_and_a_part_of_all() -> None:
    unwell = frozenset(f"a{number}" for number in range(40))
    some = places_of([*to("a", "a0"), *to("b", "b1", 2)], unwell, BOUNDS)
    assert set(some.not_endpoints) == unwell
    assert "a0" not in some.failing
    assert (len(some.failing), some.failing_limit) == (39, 23)
    all_taken = places_of([one for number in range(24) for one in to(f"t{number}", f"a{number}")], unwell, BOUNDS)
    assert (all_taken.failing, all_taken.limit) == ([], 7)


def test_where_nothing_is_free_nothing_is_taken() -> None:
    taken = [one for number in range(8) for one in to(f"t{number}", f"e{number}", 8)]
    assert places_of(taken, frozenset(), BOUNDS).limit == 0
