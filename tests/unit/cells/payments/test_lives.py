"""What each life of the room asks of the ledger: the chains, with the ids that the first release gave them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import product

import pytest

from cells.credits import lives as credits_lives
from cells.credits.credit import Deposit
from cells.ledger import chart
from cells.ledger.postings import Action, Chain, postings_of
from cells.payments import lives
from cells.payments.machine import LEDGER_EFFECTS, TABLE, Effect, Leg, State
from cells.payments.transfer import Transfer
from cells.resolutions import lives as resolutions_lives
from cells.resolutions.resolution import Order
from cells.returns import lives as returns_lives
from cells.returns.returned import Return
from cells.tenants.tenant import Wallet

NUMBERS = {"eu-1": 1, "id-1": 3}
TAIL = "06a1b2c3d4e5f6g7h8i9j0a0a0"
WALLET = Wallet("wal", "ten", "EUR", 0, "", 1, "", "open", 77, 0, "standard")
W = chart.wallet(77, 978)


def transfer(leg: Leg, **facts: object) -> Transfer:
    across = leg is not Leg.IN_REGION
    return replace(
        Transfer(
            transfer_id=f"tr_eu1_{TAIL}", tenant_id="ten", leg=leg, state=State.COMPLETED, version=1, wallet_id="wal",
            origin_cell="eu-1", destination_cell="id-1" if across else "eu-1", quote_id=None, recipient_id="rcp",
            payer_id="pay", source_currency="EUR", target_currency="IDR" if across else "EUR",
            principal=98_500 if across else 98_000, margin=800 if across else 0, fee=700,
            target_amount=1_700_000_00 if across else 98_000, recipient_fee=250, rail="bi_fast" if across else "sepa_instant",
            screening="clear",
        ),
        **facts,
    )  # fmt: skip


def came_back(number: int, attempt: int) -> Return:
    return Return(
        "rt", f"tr_eu1_{TAIL}", "ten", "wal", number, "bi_fast", "ref", "IDR", 5_000, 0, 29, 3, 1, "AC04",
        datetime(2026, 11, 20, tzinfo=UTC), attempt=attempt,
    )  # fmt: skip


def order(**facts: object) -> Order:
    return replace(
        Order(f"ord_eu1_{TAIL}", f"col_eu1_{TAIL}", 2, "ten", "wal", "give_back", True, "sepa_instant", "", "", 700, "EUR", ""),
        **facts,
    )  # fmt: skip


def told_apart() -> Iterator[tuple[str, Chain]]:
    """Every chain of the room, by a name."""
    effects = {
        (leg, effect) for (leg, _, _), one in TABLE.items() for effect in one.effects if effect in LEDGER_EFFECTS
    }
    effects |= {(Leg.ORIGIN, Effect.HOLD), (Leg.IN_REGION, Effect.HOLD)}
    for leg, effect in sorted(effects):
        for attempt in (2, 3) if effect is Effect.RESUME else (1, 2):
            yield (
                f"{leg} {effect} {attempt}",
                lives.chain_of(transfer(leg, attempt=attempt), effect, lives.account_of(WALLET), NUMBERS),
            )
        if leg is not Leg.DESTINATION:
            line = transfer(leg, batch_id="bat", attempt=2 if effect is Effect.RESUME else 1)
            yield f"{leg} {effect} of a batch", lives.chain_of(line, effect, W, NUMBERS)
    for leg, state, (number, attempt) in product(Leg, (State.COMPLETED, State.LOST), ((1, 1), (2, 3))):
        chains = returns_lives.chains_of_return(came_back(number, attempt), transfer(leg, state=state), W, NUMBERS)
        for place, chain in enumerate(chains):
            yield f"{leg} {state} return {number}.{attempt} {place}", chain
    for suspended, (state, outcome) in product(
        (True, False), (("ordered", None), ("answered", "settled"), ("answered", "refused"))
    ):
        one = order(suspended=suspended, state=state, outcome=outcome)
        action = resolutions_lives.action_of_resolution(one)
        assert action is not None
        yield (
            f"give_back {suspended} {state} {outcome}",
            postings_of(resolutions_lives.life_of_resolution(one, W), action),
        )
    yield "assign", postings_of(resolutions_lives.life_of_resolution(order(kind="assign"), W), Action.ASSIGN)
    deposit = credits_lives.life_of_credit(Deposit(f"col_eu1_{TAIL}", "ten", "wal", "sepa_instant", 700, "EUR"), W)
    for action in (Action.HOLD, Action.CREDIT, Action.SUSPEND):
        yield f"deposit {action}", postings_of(deposit, action)


def digest(chain: Chain) -> str:
    fields = [
        (
            one.id, one.debit_account_id, one.credit_account_id, one.amount, one.ledger, int(one.code), int(one.flags),
            one.pending_id, one.timeout_s, one.user_data_128, one.user_data_64, one.user_data_32, one.timestamp,
        )
        for one in chain
    ]  # fmt: skip
    return sha256(repr(fields).encode()).hexdigest()[:16]


PINNED: dict[str, str] = {
    "destination hold 1": "3698d418764b4af7",
    "destination hold 2": "7240325da4c674a1",
    "destination lose 1": "015ab9a5fbb6d60e",
    "destination lose 2": "015ab9a5fbb6d60e",
    "destination post 1": "d33642b6f8b9acfd",
    "destination post 2": "8b9a84471706fcfa",
    "destination void 1": "4f179312417db21e",
    "destination void 2": "70b467c8028e8670",
    "in_region freeze 1": "57df906e010497f8",
    "in_region freeze 2": "84d0a15ffd064fe0",
    "in_region freeze of a batch": "ba10ad5940d6242e",
    "in_region hold 1": "5ec56037938eec78",
    "in_region hold 2": "deddb4ba0b092505",
    "in_region hold of a batch": "33c632326a2f80a4",
    "in_region lose 1": "00489423d5a3d275",
    "in_region lose 2": "00489423d5a3d275",
    "in_region lose of a batch": "00489423d5a3d275",
    "in_region post 1": "642b3e400107ca2e",
    "in_region post 2": "d365dc8600f1f9cb",
    "in_region post of a batch": "4086f5c609434545",
    "in_region resume 2": "c592001bb8c4bc7a",
    "in_region resume 3": "d0a9e823a1c062b8",
    "in_region resume of a batch": "c592001bb8c4bc7a",
    "in_region unfreeze 1": "28827de45b258c4b",
    "in_region unfreeze 2": "d53e0cb1fe3a7b63",
    "in_region unfreeze of a batch": "28827de45b258c4b",
    "in_region void 1": "b706d8a5b091ccb9",
    "in_region void 2": "ecb396239f43c520",
    "in_region void of a batch": "50c5f6bab6b81f85",
    "origin freeze 1": "664f4849ce5a669e",
    "origin freeze 2": "b1684caeafd2b690",
    "origin freeze of a batch": "97c7aa2047c34c7a",
    "origin hold 1": "31d8ca30329b68e3",
    "origin hold 2": "176414c0fd6739eb",
    "origin hold of a batch": "9d0e15bb1cb37530",
    "origin post 1": "6dbd06b5d96caedf",
    "origin post 2": "dd8669045e1b4463",
    "origin post of a batch": "1a2e775417d92ef8",
    "origin resume 2": "7dff62119e120912",
    "origin resume 3": "770b4d554ce5c5d5",
    "origin resume of a batch": "7dff62119e120912",
    "origin unfreeze 1": "5ba47bab2fdd974a",
    "origin unfreeze 2": "0c5b66922e1fbc9f",
    "origin unfreeze of a batch": "5ba47bab2fdd974a",
    "origin void 1": "3212d184c46a81cd",
    "origin void 2": "2b9339d7955bd57f",
    "origin void of a batch": "465a9bd7d7c7a58a",
    "origin COMPLETED return 1.1 0": "f8f5bf18d45e5524",
    "origin COMPLETED return 2.3 0": "2036f41c5a4fd35f",
    "origin LOST return 1.1 0": "f8f5bf18d45e5524",
    "origin LOST return 2.3 0": "2036f41c5a4fd35f",
    "destination COMPLETED return 1.1 0": "70d214fdce84617b",
    "destination COMPLETED return 1.1 1": "4d925c5b09db1106",
    "destination COMPLETED return 2.3 0": "52b2b43116d2ce74",
    "destination COMPLETED return 2.3 1": "56f0cda60aff6a32",
    "destination LOST return 1.1 0": "70d214fdce84617b",
    "destination LOST return 1.1 1": "95c5957b6b6917ea",
    "destination LOST return 2.3 0": "52b2b43116d2ce74",
    "destination LOST return 2.3 1": "3cd6d27c61f8eb3f",
    "in_region COMPLETED return 1.1 0": "845f170698dd4dab",
    "in_region COMPLETED return 1.1 1": "a54e7e22926c09a3",
    "in_region COMPLETED return 2.3 0": "35b307fde760b16a",
    "in_region COMPLETED return 2.3 1": "d8a37d6b5ef14199",
    "in_region LOST return 1.1 0": "845f170698dd4dab",
    "in_region LOST return 1.1 1": "5bbca81397d40384",
    "in_region LOST return 2.3 0": "35b307fde760b16a",
    "in_region LOST return 2.3 1": "205ccd9215170613",
    "give_back True ordered None": "13b5bb37fcc1e22b",
    "give_back True answered settled": "06a15e2f2ef01e84",
    "give_back True answered refused": "c62bb664f5b032e3",
    "give_back False ordered None": "d2aef657f3a8fbdb",
    "give_back False answered settled": "0af415f7863e0059",
    "give_back False answered refused": "2f7041d6b5e0cbe4",
    "assign": "d7ad113212d71c06",
    "deposit hold": "dc1b70ba5a902c01",
    "deposit credit": "2bf2f1ffbd6722ed",
    "deposit suspend": "2ddea00cb9732902",
}


def test_every_chain_is_what_the_first_release_made() -> None:
    assert {name: digest(chain) for name, chain in told_apart()} == PINNED


@pytest.mark.parametrize(
    ("facts", "action"),
    [
        ({"kind": "assign"}, Action.ASSIGN),
        ({}, Action.HOLD),
        ({"state": "held"}, None),
        ({"state": "answered", "outcome": "settled"}, Action.POST),
        ({"state": "answered", "outcome": "refused"}, Action.VOID),
        ({"state": "done"}, None),
        ({"state": "failed"}, None),
    ],
)
def test_an_order_asks_for_what_its_state_waits_for(facts: dict[str, str], action: Action | None) -> None:
    assert resolutions_lives.action_of_resolution(order(**facts)) is action


@pytest.mark.parametrize("leg", [Leg.ORIGIN, Leg.IN_REGION])
def test_a_line_of_a_batch_has_the_same_postings_before_and_after_its_release(leg: Leg) -> None:
    """Whoever derives them later sees the row as it is then."""
    before = transfer(leg, batch_id="bat", attempt=1)
    after = replace(before, released=True)
    for effect in (Effect.HOLD, Effect.FREEZE, Effect.UNFREEZE):
        assert lives.chain_of(before, effect, W, NUMBERS) == lives.chain_of(after, effect, W, NUMBERS)
