"""The chart's numbers are append-only: books written years ago are read with them."""

import pytest
from uuid_utils.compat import uuid7

from cells.ledger import chart
from cells.ledger.chart import AccountType
from cells.ledger.codes import Code, Leg, Phase, Step
from cells.ledger.entry import AccountFlag, Posting
from residency.directory import load_directory

# Add to these; never change or remove an entry.
ACCOUNT_TYPES = {
    "TENANT_WALLET": 1,
    "PENDING_INBOUND": 2,
    "PENDING_OUTBOUND": 3,
    "RAIL_SETTLEMENT": 4,
    "REGIONAL_SETTLEMENT": 5,
    "FX_POSITION": 6,
    "FEE_REVENUE": 7,
    "FX_MARGIN": 8,
    "BATCH_RESERVE": 9,
    "SUSPENSE": 10,
    "BLOCKED_FUNDS": 11,
    "IN_DOUBT_LOSS": 12,
    "FX_RESULT": 13,
    "OWN_FUNDS": 14,
    "EQUITY": 15,
    "REGIONAL_CAP": 16,
}
CODES = {
    "COLLECTION": 10,
    "COLLECTION_CREDIT": 11,
    "COLLECTION_SUSPENSE": 12,
    "PRINCIPAL": 20,
    "MARGIN": 21,
    "FEE": 22,
    "DEALING": 23,
    "PAYOUT": 24,
    "RECIPIENT_FEE": 25,
    "PAYOUT_SETTLED": 26,
    "IN_REGION": 30,
    "BOOK": 40,
    "FREEZE": 50,
    "UNFREEZE": 51,
    "RETURN": 60,
    "RETURN_POSITION": 61,
    "RETURN_CREDIT": 62,
    "RETURN_DEALING": 63,
    "RETURN_PRINCIPAL": 64,
    "RETURN_MARGIN": 65,
    "RETURN_FEE": 66,
    "RETURN_RECOVERED": 67,
    "SUSPENSE_ASSIGNED": 70,
    "GIVE_BACK": 71,
    "GIVEN_BACK": 72,
    "IN_DOUBT_LOSS": 80,
    "CAP": 90,
    "BATCH_FUNDING": 100,
    "BATCH_REMAINDER": 101,
}
LEGS = {
    "ORIGIN": 1,
    "DESTINATION": 2,
    "IN_REGION": 3,
    "CREDIT": 4,
    "INTERNAL_TRANSFER": 5,
    "HOUSE": 6,
    "RETURN": 7,
    "RESOLUTION": 8,
    "LOSS": 9,
    "BATCH": 10,
}
STEPS = {
    "C1": 1,
    "C2": 2,
    "C3": 3,
    "S1": 11,
    "S2": 12,
    "S3": 13,
    "S4": 14,
    "D1": 21,
    "D2": 22,
    "D3": 23,
    "I1": 31,
    "I2": 32,
    "I3": 33,
    "I4": 34,
    "B1": 41,
    "F1": 45,
    "F2": 46,
    "CAP": 51,
    "R1": 61,
    "R2": 62,
    "R3": 63,
    "R4": 64,
    "R5": 65,
    "R6": 66,
    "A1": 71,
    "G1": 72,
    "G2": 73,
    "L1": 81,
    "E1": 91,
    "E2": 92,
}
PHASES = {"DIRECT": 0, "HOLD": 1, "POST": 2, "VOID": 3}
RAILS = {"sepa_instant": 1, "faster_payments": 2, "bi_fast": 3, "sepa_credit_transfer": 4, "chaps": 5, "bi_rtgs": 6}


@pytest.mark.parametrize(
    ("numbers", "pinned"),
    [(AccountType, ACCOUNT_TYPES), (Code, CODES), (Leg, LEGS), (Step, STEPS), (Phase, PHASES)],
)
def test_numbers_are_never_changed(numbers: type[AccountType], pinned: dict[str, int]) -> None:
    now = {name: member.value for name, member in numbers.__members__.items()}
    assert pinned.items() <= now.items(), "ledgers are read with these numbers for ever: add new ones, change none"
    assert len(set(now.values())) == len(now), "a number means one thing"


def test_rails_keep_their_numbers_and_every_declared_rail_has_one() -> None:
    assert RAILS.items() <= chart.rail_numbers().items()
    assert len(set(chart.rail_numbers().values())) == len(chart.rail_numbers())
    declared = {rail for cell in load_directory().cells.values() for rail in cell.rails}
    assert declared <= set(chart.rail_numbers())


def test_an_account_id_is_laid_out_as_documented() -> None:
    number = chart.wallet(0x1122334455667788, 978, qualifier=0x99AABBCC)
    assert number == 0x99AABBCC_1122334455667788_01_0003D2
    key = chart.read_account_id(number)
    assert key == (0x99AABBCC, 0x1122334455667788, AccountType.TENANT_WALLET, 978)
    assert (key.owner, key.peer_number) == (0x1122334455667788, None)
    peer = chart.read_account_id(chart.settlement(3, 360))
    assert (peer.owner, peer.peer_number) == (0x81 << 56 | 3, 3)
    assert chart.platform(AccountType.FX_POSITION, 360) == 0x80000000_00000000_06_000168
    assert chart.rail("bi_fast", 360) == 0x82000000_00000003_04_000168


def test_an_owner_is_a_tenant_a_peer_a_rail_or_the_platform_and_never_two() -> None:
    owners = [chart.tenant_owner(2**63 - 1), chart.tenant_owner(1), chart.PLATFORM_OWNER]
    owners += [chart.peer_owner(1), chart.peer_owner(2**32 - 1), chart.rail_owner("bi_fast")]
    assert len(set(owners)) == len(owners)
    assert [owner >> 56 for owner in owners] == [0x7F, 0, 0x80, 0x81, 0x81, 0x82]


def test_accounts_that_hold_other_peoples_money_cannot_be_overdrawn() -> None:
    limited = {
        kind
        for kind in AccountType
        if chart.opening(chart.account_id(1, kind, 978)).flags & AccountFlag.DEBITS_MUST_NOT_EXCEED_CREDITS
    }
    assert limited == {
        AccountType.TENANT_WALLET,
        AccountType.PENDING_INBOUND,
        AccountType.PENDING_OUTBOUND,
        AccountType.REGIONAL_SETTLEMENT,
        AccountType.BATCH_RESERVE,
        AccountType.SUSPENSE,
        AccountType.BLOCKED_FUNDS,
    }
    wallet = chart.opening(chart.wallet(1, 978))
    assert wallet.flags & AccountFlag.HISTORY
    assert (wallet.ledger, wallet.code) == (978, AccountType.TENANT_WALLET)


def test_posting_ids_differ_in_everything_and_keep_the_payments_time() -> None:
    one, two = uuid7().int, uuid7().int
    ids = {
        chart.posting_id(payment, leg, step, phase, attempt)
        for payment in (one, two)
        for leg in Leg
        for step in Step
        for phase in Phase
        for attempt in (1, 2, 3)
    }
    assert len(ids) == 2 * len(Leg) * len(Step) * len(Phase) * 3
    assert {number >> 80 for number in ids} == {one >> 80, two >> 80}
    # Ids are made anew after a crash, by any release: the function is pinned.
    pinned = chart.posting_id(1 << 100 | 5, Leg.ORIGIN, Step.S1, Phase.HOLD, 1)
    assert pinned == 0x1000000BB5FCEF11D18139759F


def test_a_posting_says_what_it_is_part_of() -> None:
    mark = chart.posting_mark(Leg.DESTINATION, Step.D2, Phase.DIRECT)
    posting = Posting(1, 2, 3, 4, 978, Code.PAYOUT_SETTLED, user_data_128=9, user_data_64=mark, user_data_32=2)
    assert chart.read_posting(posting) == (9, Leg.DESTINATION, Step.D2, Phase.DIRECT, 2)
