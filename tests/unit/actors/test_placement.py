"""Every process finds the same host; a change moves only what must move."""

from collections import Counter

import pytest

from actors.placement import Placement

WALLETS = [f"wal_eu1_{number:026d}" for number in range(4_000)]


def hosts(placement: Placement) -> dict[str, str]:
    return {wallet: placement.host_of(wallet) for wallet in WALLETS}


def test_the_same_wallet_is_found_at_the_same_host_by_every_process() -> None:
    assert hosts(Placement(hosting_actors=4)) == hosts(Placement(hosting_actors=4))
    # Pinned: a release that hashes otherwise would move every wallet of a running cell.
    assert Placement(hosting_actors=4).host_of("wal_eu1_x") == "wallets-2"


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_one_more_host_moves_only_its_own_share(count: int) -> None:
    before, after = hosts(Placement(hosting_actors=count)), hosts(Placement(hosting_actors=count + 1))
    moved = {wallet for wallet in WALLETS if before[wallet] != after[wallet]}
    assert {after[wallet] for wallet in moved} == {f"wallets-{count}"}
    assert len(moved) == pytest.approx(len(WALLETS) / (count + 1), rel=0.15)


def test_wallets_spread_evenly() -> None:
    share = Counter(hosts(Placement(hosting_actors=5)).values())
    assert len(share) == 5
    assert min(share.values()) > 0.85 * len(WALLETS) / 5


def test_own_places_go_in_order_up_to_the_capacity() -> None:
    own = ["first", "second", "first", "third"]
    placement = Placement(hosting_actors=2, wallet_actors_max=2, own=own)
    assert [placement.host_of(wallet) for wallet in ("first", "second")] == ["wallet-first", "wallet-second"]
    assert placement.host_of("third") in placement.hosting_actors


def test_by_default_wallets_share() -> None:
    assert Placement(hosting_actors=1, wallet_actors_max=16).host_of("any") == "wallets-0"
