"""Statements and notices of an account: every booked movement, and no statement that does not add up."""

from datetime import date

import pytest

from cells.rails.inbound import read_inbound
from cells.rails.iso20022.accounts import read_statements
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import MessageInvalid
from infra.schemes.statements import notification, statement
from infra.schemes.store import Entry

CHAPS = rail_profiles()["chaps"]
DAY = "2026-11-20"
ENTRIES = [
    Entry("chaps", DAY, "CRDT", "credit", "GBP", 12_345, "IN1", "E2E", f"{DAY}T10:00:00Z"),
    Entry("chaps", DAY, "DBIT", "payment", "GBP", 99, "tr1", "tr-1", f"{DAY}T10:00:01Z"),
    Entry("chaps", DAY, "CRDT", "return", "GBP", 9, "RT1", "tr-1", f"{DAY}T10:00:02Z"),
]
STATEMENT = statement("uk-1", "GBP", DAY, -5, ENTRIES)


def test_a_statement_is_read_into_movements() -> None:
    [found] = read_statements(CHAPS, STATEMENT).statements
    assert (found.rail, found.account, found.currency) == ("chaps", "uk-1", "GBP")
    assert (found.opening_minor, found.closing_minor) == (-5, -5 + 12_345 - 99 + 9)
    assert [(one.reference, one.end_to_end_id, one.signed_minor) for one in found.movements] == [
        ("IN1", "E2E", 12_345),
        ("tr1", "tr-1", -99),
        ("RT1", "tr-1", 9),
    ]
    assert {one.day for one in found.movements} == {date(2026, 11, 20)}
    assert [one.kind for one in found.movements] == ["PMNT/RCDT/ESCT", "PMNT/ICDT/ESCT", "PMNT/ICDT/RRTN"]


def test_an_empty_day_is_a_statement_too() -> None:
    [found] = read_statements(CHAPS, statement("uk-1", "GBP", DAY, 0, [])).statements
    assert (found.opening_minor, found.closing_minor, found.movements) == (0, 0, [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'<Amt Ccy="GBP">123.45', b'<Amt Ccy="GBP">123.46'),
        (b'<Amt Ccy="GBP">123.45', b'<Amt Ccy="EUR">123.45'),
        (b"<CdtDbtInd>DBIT</CdtDbtInd><Sts>", b"<CdtDbtInd>CRDT</CdtDbtInd><Sts>"),
        (b"<Cd>BOOK</Cd>", b"<Cd>PDNG</Cd>"),
        (b"<Cd>OPBD</Cd>", b"<Cd>CLAV</Cd>"),
    ],
)
def test_a_statement_that_does_not_add_up_is_refused(old: bytes, new: bytes) -> None:
    assert old in STATEMENT
    with pytest.raises(MessageInvalid):
        read_statements(CHAPS, STATEMENT.replace(old, new))


def test_an_entry_may_sum_up_transactions() -> None:
    one = b"<TxDtls><Refs><EndToEndId>tr-1</EndToEndId><TxId>tr1</TxId></Refs></TxDtls>"
    two = b'<TxDtls><Refs><EndToEndId>%s</EndToEndId></Refs><Amt Ccy="GBP">%s</Amt></TxDtls>'
    assert STATEMENT.count(one) == 1
    split = STATEMENT.replace(one, two % (b"a", b"0.90") + two % (b"b", b"0.09"))
    [found] = read_statements(CHAPS, split).statements
    assert [(m.end_to_end_id, m.amount_minor) for m in found.movements[1:3]] == [("a", 90), ("b", 9)]
    with pytest.raises(MessageInvalid):
        read_statements(CHAPS, STATEMENT.replace(one, two % (b"a", b"0.90") + two % (b"b", b"0.10")))


def test_a_notice_is_read_at_the_door() -> None:
    came = read_inbound("chaps", notification("uk-1", "NT1", ENTRIES[0]))
    [one] = came.account.movements
    assert (one.reference, one.end_to_end_id, one.signed_minor) == ("IN1", "E2E", 12_345)
