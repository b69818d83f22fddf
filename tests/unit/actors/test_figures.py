"""The host's figures: actors of other processes under their names, those with one wallet together and without its id."""

from typing import Any

from actors.figures import exposition
from actors.listing import ActorRow

FIGURES = {"kovra_batch_items": {("wallet",): ((2,) + (0,) * 11, 2.0)}}


def row(name: str, kind: str, pid: int, state: str = "running", details: dict[str, Any] | None = None) -> ActorRow:
    figures = FIGURES if state == "running" else {}
    return ActorRow(name, kind, state, "elsewhere", pid, 1, 3, 4, 2.0, 10, details or {}, figures)


def test_actors_of_their_own_are_one_and_no_wallet_is_named() -> None:
    own = [row(f"wallet-wal_eu1_{number}", "own", number) for number in range(3)]
    text = exposition("eu-1", {}, [row("wallets-0", "shared", 9), *own]).decode()
    assert "wal_eu1" not in text
    assert 'kovra_actors{cell="eu-1",kind="own",state="running"} 3.0' in text
    assert 'kovra_actor_processed{actor="own",cell="eu-1"} 30.0' in text
    assert 'kovra_batch_items_count{actor="own",cell="eu-1",stage="wallet"} 6.0' in text
    assert 'kovra_batch_items_count{actor="wallets-0",cell="eu-1",stage="wallet"} 2.0' in text


def test_a_rail_shows_its_breaker_and_one_that_is_gone_shows_nothing() -> None:
    details = {"rail": "bi_fast", "breaker": "open", "under_way": 2, "unacknowledged": 1, "in_doubt": 5}
    text = exposition("id-1", {}, [row("rail-bi_fast", "rail", 7, details=details)]).decode()
    assert 'kovra_rail_breaker_state{cell="id-1",rail="bi_fast",state="open"} 1.0' in text
    assert 'kovra_rail_breaker_state{cell="id-1",rail="bi_fast",state="closed"} 0.0' in text
    assert 'kovra_rail_in_doubt_payments{cell="id-1",rail="bi_fast"} 5.0' in text
    away = exposition("id-1", {}, [row("rail-bi_fast", "rail", 7, state="unreachable")]).decode()
    assert 'kovra_actors{cell="id-1",kind="rail",state="unreachable"} 1.0' in away
    assert 'kovra_rail_breaker_state{cell="id-1"' not in away


def test_a_cluster_that_does_not_answer_is_told_beside_the_rest() -> None:
    text = exposition("eu-1", {}, None).decode()
    assert 'kovra_actors_cluster_up{cell="eu-1"} 0.0' in text
    assert "kovra_sweep_rounds_total" in text or "kovra_host_scrapes_total" in text
