"""What a peer may owe follows its declaration, on every engine: raised at once, lowered by what is free, and each change made once."""

import logging

import pytest

from cells.ledger import chart, house
from cells.ledger.ledger import Ledger
from cells.ledger.postings import Action, postings_of
from cells.ledger.prefunding import Cap, declare_caps
from cells.ledger.submit import submit_chains
from tests.contract.ledger_engines import fresh_id
from tests.support.lives import destination

IDR = 360


@pytest.fixture
async def peer(ledger: Ledger) -> int:
    """The number of a peer that may owe nothing yet."""
    number = fresh_id() & 0xFFFFFF | 1 << 24
    await ledger.create_accounts(house.platform_accounts([IDR], [], [number], [("bi_fast", IDR)]))
    return number


async def declare(ledger: Ledger, peer: int, amount: int) -> None:
    await declare_caps(ledger, {"eu-1 in IDR": Cap(peer, IDR, amount)})


async def cap(ledger: Ledger, peer: int) -> int:
    account = chart.settlement_cap(peer, IDR)
    return -(await ledger.lookup_accounts([account]))[account].credit_balance


async def owe(ledger: Ledger, peer: int, payment: int, amount: int) -> bool:
    """Whether the peer's payment fits under its cap."""
    hold = postings_of(destination(payment, peer, amount), Action.HOLD)
    [result] = await submit_chains(ledger, [hold])
    return result.applied


async def test_a_cap_follows_every_declaration_and_repeating_one_changes_nothing(ledger: Ledger, peer: int) -> None:
    for amount in (1_000, 1_000, 2_500, 400, 400, 1_000, 2_500, 400, 1_000):
        await declare(ledger, peer, amount)
        assert await cap(ledger, peer) == amount


async def test_what_a_peer_owes_keeps_its_room_until_it_is_free(
    ledger: Ledger, peer: int, caplog: pytest.LogCaptureFixture
) -> None:
    await declare(ledger, peer, 1_000)
    payment, late = fresh_id(), fresh_id()
    assert await owe(ledger, peer, payment, 700)
    with caplog.at_level(logging.WARNING, "kovra.prefunding"):
        await declare(ledger, peer, 200)
    assert await cap(ledger, peer) == 700
    assert "eu-1 in IDR may still owe 700, of which 200 is declared" in caplog.text
    assert not await owe(ledger, peer, late, 1)
    void = postings_of(destination(payment, peer, 700), Action.VOID)
    assert all(one.applied for one in await submit_chains(ledger, [void]))
    await declare(ledger, peer, 200)
    assert await cap(ledger, peer) == 200


async def test_an_id_that_an_earlier_run_burnt_is_followed_by_the_next_attempt(
    ledger: Ledger, peer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payment takes the room between the look and the posting: the change fails for good under its id, and is made under another."""
    await declare(ledger, peer, 1_000)
    payment = fresh_id()
    look, looked = ledger.lookup_accounts, list[int]()

    async def overtaken(ids):
        accounts = await look(ids)
        if not looked:
            looked.append(1)
            assert await owe(ledger, peer, payment, 900)
        return accounts

    monkeypatch.setattr(ledger, "lookup_accounts", overtaken)
    await declare(ledger, peer, 200)
    assert await cap(ledger, peer) == 1_000
    void = postings_of(destination(payment, peer, 900), Action.VOID)
    assert all(one.applied for one in await submit_chains(ledger, [void]))
    await declare(ledger, peer, 200)
    assert await cap(ledger, peer) == 200
