"""The table of postings against the design's page, row by row, and every chain against the ids that ledgers hold already."""

from hashlib import sha256

import pytest

from cells.ledger import chart
from cells.ledger.chart import AccountType, read_account_id
from cells.ledger.codes import Leg, Phase
from cells.ledger.drawing import README, chain_in_words, redrawn, row_in_words
from cells.ledger.life import Life
from cells.ledger.postings import CHAINS, TABLE, Action, Chain, postings_of

EUR, IDR = 978, 360
PAYMENT = 0x019AC0FFEE00 << 80 | 0x7B3D << 64 | 0x8A11223344556677
WALLET = chart.wallet(77, EUR)
# LEDGER.md, "Chains": each posting in its words.
ROWS = {
    Leg.CREDIT: ["C1 RAIL → PI M", "C2 PI → W M", "C3 PI → SUS M"],
    Leg.ORIGIN: [
        "F2 BLOCKED_FUNDS → W principal + margin + fee (source)",
        "S1 W → FX principal (source)",
        "S2 W → MARGIN margin (source)",
        "S3 W → FEE fee (source)",
        "S4 FX → REG M (target)",
        "F1 W → BLOCKED_FUNDS principal + margin + fee (source)",
    ],
    Leg.DESTINATION: ["D1 REG → PO M − f", "D3 REG → FEE f", "D2 PO → RAIL M − f"],
    Leg.IN_REGION: [
        "F2 BLOCKED_FUNDS → W M + fee",
        "I1 W → PO M − f",
        "I2 W → FEE fee",
        "I4 W → FEE f",
        "I3 PO → RAIL M − f",
        "F1 W → BLOCKED_FUNDS M + fee",
    ],
    Leg.LOSS: ["L1 IN_DOUBT_LOSS → RAIL M − f"],
    Leg.RETURN: [
        "R1 RAIL → PI M (target)",
        "R2 PI → REG M (target)",
        "R2 PI → W M (target)",
        "R2 PI → IN_DOUBT_LOSS M (target)",
        "R3 REG → FX M (target)",
        "R4 FX → W principal (source)",
        "R5 MARGIN → W margin (source)",
        "R6 FEE → W fee (source)",
    ],
    Leg.RESOLUTION: ["A1 SUS → W M", "G1 SUS or W → PI M", "G2 PI → RAIL M"],
    Leg.INTERNAL_TRANSFER: ["B1 W → W M"],
    Leg.BATCH: ["E1 W → RSV M", "E2 RSV → W M"],
    Leg.HOUSE: ["CAP REGIONAL_CAP → REG M", "CAP REG → REGIONAL_CAP M"],
}
# … and each chain.
CHAINS_OF_THE_PAGE = {
    (Leg.CREDIT, Action.HOLD): "pending C1",
    (Leg.CREDIT, Action.CREDIT): "post C1 · C2 PI → W",
    (Leg.CREDIT, Action.SUSPEND): "post C1 · C3 PI → SUS",
    (Leg.CREDIT, Action.VOID): "void C1",
    (Leg.ORIGIN, Action.HOLD): "pending S1, S2, S3, S4",
    (Leg.ORIGIN, Action.POST): "post S1, S2, S3, S4",
    (Leg.ORIGIN, Action.VOID): "void S1, S2, S3, S4",
    (Leg.ORIGIN, Action.FREEZE): "void S1, S2, S3, S4 · F1 W → BLOCKED_FUNDS",
    (Leg.ORIGIN, Action.UNFREEZE): "F2 BLOCKED_FUNDS → W",
    (Leg.ORIGIN, Action.RESUME): "F2 BLOCKED_FUNDS → W · pending S1, S2, S3, S4",
    (Leg.DESTINATION, Action.HOLD): "pending D1, D3",
    (Leg.DESTINATION, Action.POST): "post D1, D3 · D2 PO → RAIL",
    (Leg.DESTINATION, Action.VOID): "void D1, D3",
    (Leg.IN_REGION, Action.HOLD): "pending I1, I2, I4",
    (Leg.IN_REGION, Action.POST): "post I1, I2, I4 · I3 PO → RAIL",
    (Leg.IN_REGION, Action.VOID): "void I1, I2, I4",
    (Leg.IN_REGION, Action.FREEZE): "void I1, I2, I4 · F1 W → BLOCKED_FUNDS",
    (Leg.IN_REGION, Action.UNFREEZE): "F2 BLOCKED_FUNDS → W",
    (Leg.IN_REGION, Action.RESUME): "F2 BLOCKED_FUNDS → W · pending I1, I2, I4",
    (Leg.LOSS, Action.WRITE_OFF): "L1 IN_DOUBT_LOSS → RAIL",
    (Leg.RETURN, Action.HOLD): "pending R1",
    (Leg.RETURN, Action.FORWARD): "post R1 · R2 PI → REG",
    (Leg.RETURN, Action.CREDIT): "post R1 · R2 PI → W, R6 FEE → W",
    (Leg.RETURN, Action.RECOVER): "post R1 · R2 PI → IN_DOUBT_LOSS",
    (Leg.RETURN, Action.ADMIT): "R3 REG → FX, R4 FX → W, R5 MARGIN → W, R6 FEE → W",
    (Leg.RESOLUTION, Action.ASSIGN): "A1 SUS → W",
    (Leg.RESOLUTION, Action.HOLD): "pending G1",
    (Leg.RESOLUTION, Action.POST): "post G1 · G2 PI → RAIL",
    (Leg.RESOLUTION, Action.VOID): "void G1",
    (Leg.INTERNAL_TRANSFER, Action.TRANSFER): "B1 W → W",
    (Leg.BATCH, Action.FUND): "E1 W → RSV",
    (Leg.BATCH, Action.RELEASE_REMAINDER): "E2 RSV → W",
    (Leg.HOUSE, Action.GRANT): "CAP REGIONAL_CAP → REG",
    (Leg.HOUSE, Action.WITHDRAW): "CAP REG → REGIONAL_CAP",
}
# The SHA-256 of each chain, at attempts 1 and 2, as the first release made it: whoever recovers a payment makes these ids again.
PINNED: dict[tuple[Leg, Action], tuple[str, str]] = {
    (Leg.CREDIT, Action.HOLD): ("fa5f8ba4cb5c140c", "e36325036fc296d4"),
    (Leg.CREDIT, Action.CREDIT): ("30737bd31159e71c", "669af9886714b41b"),
    (Leg.CREDIT, Action.SUSPEND): ("b31ab5cd01d73dfd", "929cb5a6cc3c42ed"),
    (Leg.CREDIT, Action.VOID): ("504233a80453928b", "0bddf3423d609a98"),
    (Leg.ORIGIN, Action.UNFREEZE): ("0fa1fd03cf927beb", "27086c3ce3885566"),
    (Leg.ORIGIN, Action.RESUME): ("661188129d330927", "54386f7663778d07"),
    (Leg.ORIGIN, Action.HOLD): ("221453084e99ca3d", "cfd649595bcaffb7"),
    (Leg.ORIGIN, Action.POST): ("afe4d346d1d90065", "394e7ee07e9a58e3"),
    (Leg.ORIGIN, Action.VOID): ("48d67a0879e77443", "8a6e1d28badbcb6a"),
    (Leg.ORIGIN, Action.FREEZE): ("2e29b9490880dc21", "f6c3534100e34906"),
    (Leg.DESTINATION, Action.HOLD): ("3f7a18abef80599b", "05bf0ca4243f0325"),
    (Leg.DESTINATION, Action.POST): ("71cb6b667d5f1e61", "c6a8c8b001014e68"),
    (Leg.DESTINATION, Action.VOID): ("e50007f09d36da82", "7ebf8d6441a29aa7"),
    (Leg.IN_REGION, Action.UNFREEZE): ("a79b22ce263adc67", "482cdd84225a783e"),
    (Leg.IN_REGION, Action.RESUME): ("d3bfbe45321ec382", "ca184ee51c0aceeb"),
    (Leg.IN_REGION, Action.HOLD): ("c4df4d4b56a58990", "98438589919fed46"),
    (Leg.IN_REGION, Action.POST): ("a0017586c59c2c73", "c8f94b2e1e4a8106"),
    (Leg.IN_REGION, Action.VOID): ("1c944c8757f6ea2a", "746361915c62a52b"),
    (Leg.IN_REGION, Action.FREEZE): ("8ba578e90740af1a", "2be46f9bf81376b6"),
    (Leg.LOSS, Action.WRITE_OFF): ("1d3f61f8a660670c", "1d3f61f8a660670c"),
    (Leg.RETURN, Action.HOLD): ("2e7c685c1329a61f", "56b9115a913a882a"),
    (Leg.RETURN, Action.FORWARD): ("aa3ad09c4396e632", "c90b4bce84de2d1e"),
    (Leg.RETURN, Action.CREDIT): ("c8dbf6ea4da5458c", "83408733c44b265c"),
    (Leg.RETURN, Action.RECOVER): ("17e91cb0c77ef7d0", "fac8524859db0f44"),
    (Leg.RETURN, Action.ADMIT): ("82e261ec758216f4", "e9cee9ba6e3f7df7"),
    (Leg.RESOLUTION, Action.ASSIGN): ("017b177555392b68", "05a2555efb4b8efc"),
    (Leg.RESOLUTION, Action.HOLD): ("5a1a16f237d9afdf", "9f6cec524215a471"),
    (Leg.RESOLUTION, Action.POST): ("e6b2b054a6accce4", "d5e87e6ec9d28b80"),
    (Leg.RESOLUTION, Action.VOID): ("ddf57f1f3e9635e9", "8d59aeb0f93935d6"),
    (Leg.INTERNAL_TRANSFER, Action.TRANSFER): ("4c6cf8108e3a5649", "bb7e97382fa5181a"),
    (Leg.BATCH, Action.FUND): ("cf717a3b93de4991", "55feca52fcf3bbb1"),
    (Leg.BATCH, Action.RELEASE_REMAINDER): ("fb163cde979df827", "2c8ce076b650d1d9"),
    (Leg.HOUSE, Action.GRANT): ("89edf522c92ed13a", "d117e82ada1ecc15"),
    (Leg.HOUSE, Action.WITHDRAW): ("1e90d26db8938248", "8cf69c6c1e80cee3"),
}


def life_of(leg: Leg) -> Life:
    """A life of that leg in which every fact is given."""
    return Life(
        leg=Leg.IN_REGION if leg is Leg.LOSS else leg,
        payment=PAYMENT,
        wallet=WALLET,
        other_wallet=chart.wallet(77, EUR, 7),
        peer=3,
        rail="bi_fast",
        source_ledger=EUR,
        target_ledger=IDR if leg in (Leg.ORIGIN, Leg.DESTINATION, Leg.HOUSE) else EUR,
        principal=98_500,
        margin=800,
        fee=700,
        amount=1_700_000_00,
        recipient_fee=2_500_00,
        number=2 if leg in (Leg.RETURN, Leg.RESOLUTION) else 0,
    )


def digest(chain: Chain) -> str:
    fields = [
        (
            one.id, one.debit_account_id, one.credit_account_id, one.amount, one.ledger, int(one.code), int(one.flags),
            one.pending_id, one.timeout_s, one.user_data_128, one.user_data_64, one.user_data_32, one.timestamp,
        )
        for one in chain
    ]  # fmt: skip
    return sha256(repr(fields).encode()).hexdigest()[:16]


def test_the_rows_are_those_of_the_page() -> None:
    assert {leg: [row_in_words(row) for row in TABLE if row.leg is leg] for leg in Leg} == ROWS


def test_the_chains_are_those_of_the_page() -> None:
    assert {key: chain_in_words(*key) for key in CHAINS} == CHAINS_OF_THE_PAGE


def test_the_drawing_in_the_readme_is_the_table() -> None:
    text = README.read_text()
    assert redrawn(text) == text, "run `python -m cells.ledger.drawing`"


@pytest.mark.parametrize(("leg", "action"), PINNED)
def test_a_chain_is_what_ledgers_hold_already(leg: Leg, action: Action) -> None:
    life = life_of(leg)
    assert tuple(digest(postings_of(life, action, attempt)) for attempt in (1, 2)) == PINNED[leg, action]


def test_every_chain_is_pinned() -> None:
    assert PINNED.keys() == CHAINS.keys()


@pytest.mark.parametrize(("leg", "action"), CHAINS)
def test_both_accounts_of_a_posting_are_of_its_ledger(leg: Leg, action: Action) -> None:
    for one in postings_of(life_of(leg), action):
        ledgers = {read_account_id(side).ledger for side in (one.debit_account_id, one.credit_account_id)}
        assert ledgers == {one.ledger}
        assert one.debit_account_id != one.credit_account_id


@pytest.mark.parametrize("leg", [Leg.ORIGIN, Leg.IN_REGION])
def test_a_line_of_a_batch_draws_on_the_reserve_until_it_is_released(leg: Leg) -> None:
    life = life_of(leg)._replace(drawn_on=AccountType.BATCH_RESERVE)
    reserve = chart.reserve(WALLET)
    for action in (Action.HOLD, Action.POST, Action.VOID, Action.FREEZE):
        assert _own_accounts(postings_of(life, action)) == {reserve}
        assert _own_accounts(postings_of(life, action, 2)) == {WALLET}
    assert _own_accounts(postings_of(life, Action.UNFREEZE)) == {WALLET}
    assert _own_accounts(postings_of(life, Action.RESUME, 2)) == {WALLET}


def test_a_credit_that_nobody_was_found_for_is_returned_out_of_suspense() -> None:
    life = life_of(Leg.RESOLUTION)._replace(drawn_on=AccountType.SUSPENSE)
    [hold] = postings_of(life, Action.HOLD)
    assert hold.debit_account_id == chart.platform(AccountType.SUSPENSE, EUR)


def test_a_resolved_posting_names_its_hold_and_repeats_it() -> None:
    for (leg, action), rows in CHAINS.items():
        life = life_of(leg)
        for attempt in (1, 2, 7):
            held = {one.id: one for one in postings_of(life, Action.HOLD, attempt)} if _holds(leg) else {}
            made = postings_of(life, action, attempt)
            for one, (_, phase) in zip(made, rows, strict=True):
                assert (one.pending_id in held) == (phase in (Phase.POST, Phase.VOID))
                if one.pending_id:
                    hold = held[one.pending_id]
                    assert (one.debit_account_id, one.credit_account_id) == (
                        hold.debit_account_id,
                        hold.credit_account_id,
                    )
                    assert (one.amount, one.code, one.ledger) == (hold.amount, hold.code, hold.ledger)


def test_two_numbered_lives_and_their_attempts_never_share_an_id() -> None:
    ids = [
        one.id
        for leg in (Leg.RETURN, Leg.RESOLUTION)
        for number in (1, 2, 999)
        for attempt in (1, 2, 3)
        for one in postings_of(life_of(leg)._replace(number=number), Action.HOLD, attempt)
    ]
    assert len(set(ids)) == len(ids)


def test_what_follows_a_hold_at_the_destination_is_asked_once() -> None:
    life = life_of(Leg.DESTINATION)
    first, third = (postings_of(life, Action.POST, attempt) for attempt in (1, 3))
    assert [one.id for one in first] == [one.id for one in third]
    assert [bool(one.pending_id) for one in third] == [True, True, False]
    assert first[0].pending_id != third[0].pending_id


@pytest.mark.parametrize("life", [life_of(Leg.BATCH), life_of(Leg.DESTINATION)])
def test_an_action_that_a_life_does_not_know_has_no_chain(life: Life) -> None:
    with pytest.raises(KeyError):
        postings_of(life, Action.RESUME)


@pytest.mark.parametrize("wrong", [{"amount": 0}, {"amount": -5}, {"amount": 100, "recipient_fee": 100}, {"fee": -1}])
def test_a_chain_that_moves_nothing_or_backwards_cannot_be_made(wrong: dict[str, int]) -> None:
    life = life_of(Leg.IN_REGION)._replace(recipient_fee=0, fee=0)._replace(**wrong)
    with pytest.raises(AssertionError):
        postings_of(life, Action.HOLD)


def _holds(leg: Leg) -> bool:
    return (leg, Action.HOLD) in CHAINS


def _own_accounts(chain: Chain) -> set[int]:
    sides = {side for one in chain for side in (one.debit_account_id, one.credit_account_id)}
    return {
        side
        for side in sides
        if read_account_id(side).account_type in (AccountType.TENANT_WALLET, AccountType.BATCH_RESERVE)
    }
