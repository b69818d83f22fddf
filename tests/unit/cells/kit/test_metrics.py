"""Histograms that cost little and travel, and how the host shows them."""

import pickle

from cells.kit import metrics

SEEN = metrics.Spread("kovra_test_seconds", "For these tests", ["room"], (0.1, 1.0))


def test_a_bound_belongs_to_its_bucket_and_time_never_runs_backwards() -> None:
    for value in (0.1, 0.5, 2.0, -3.0):
        SEEN.observe(value, "bounds")
    counts, total = SEEN.snapshot()["bounds",]
    assert list(counts) == [2, 1, 1]
    assert total == 2.6
    assert SEEN.count("bounds") == 4


def test_the_host_shows_its_own_figures_and_those_of_actors_by_name() -> None:
    SEEN.observe(0.5, "shown")
    told = pickle.loads(pickle.dumps({"kovra_test_seconds": {("shown",): ((1, 0, 2), 5.0)}}))
    text = metrics.exposition("eu-1", {"wallets-0": told}).decode()
    assert 'kovra_test_seconds_bucket{actor="wallets-0",cell="eu-1",le="+Inf",room="shown"} 3.0' in text
    assert 'kovra_test_seconds_bucket{actor="wallets-0",cell="eu-1",le="0.1",room="shown"} 1.0' in text
    assert 'kovra_test_seconds_sum{actor="wallets-0",cell="eu-1",room="shown"} 5.0' in text
    assert 'kovra_test_seconds_count{actor="",cell="eu-1",room="shown"} 1.0' in text
    assert text.count("# TYPE kovra_test_seconds histogram") == 1


def test_figures_of_a_release_with_other_buckets_are_left_out() -> None:
    text = metrics.exposition("eu-1", {"wallets-1": {"kovra_test_seconds": {("other",): ((1,), 5.0)}}}).decode()
    assert "wallets-1" not in text


def test_several_processes_add_up_to_one() -> None:
    one = {"kovra_test_seconds": {("a",): ((1, 2, 3), 1.5)}}
    other = {"kovra_test_seconds": {("a",): ((1, 0, 0), 0.5), ("b",): ((0, 0, 1), 9.0)}}
    both = metrics.added([one, other])["kovra_test_seconds"]
    assert (list(both["a",][0]), both["a",][1]) == ([2, 2, 3], 2.0)
    assert (list(both["b",][0]), both["b",][1]) == ([0, 0, 1], 9.0)
