"""Times of scheme messages and partners' files at the edge of what can be held: read right, or refused, and never a fault of ours."""

from datetime import UTC, date, datetime

import pytest

from cells.rails.inbound import read_inbound
from cells.rails.iso20022.uploads import read_upload
from cells.rails.rail import MessageInvalid, Settled, end_to_end_id
from residency.ids import mint
from tests.unit.cells.rails.test_uploads import line
from tests.unit.cells.rails.test_uploads import upload as upload_of

OUT_OF_RANGE = pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59-01:00", "9999-12-31T24:00:00Z", "0001-01-01T00:00:00+01:00", "12026-01-01T00:00:00Z"]
)
END_OF_DAY = "2026-11-29T24:00:00Z"
REFERENCE = end_to_end_id(mint("tr", "eu-1"))


def status(accepted: str) -> bytes:
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.002.001.10"><FIToFIPmtStsRpt><GrpHdr><MsgId>S1</MsgId>'
        "<CreDtTm>2026-11-30T10:00:02Z</CreDtTm></GrpHdr><TxInfAndSts>"
        f"<OrgnlEndToEndId>{REFERENCE}</OrgnlEndToEndId><OrgnlTxId>{REFERENCE}</OrgnlTxId>"
        f"<TxSts>ACSC</TxSts><AccptncDtTm>{accepted}</AccptncDtTm></TxInfAndSts></FIToFIPmtStsRpt></Document>"
    ).encode()


def notice(booked: str) -> bytes:
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"><BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>M1</MsgId>'
        "<CreDtTm>2026-11-30T18:00:00Z</CreDtTm></GrpHdr><Ntfctn><Id>N1</Id><CreDtTm>2026-11-30T18:00:00Z</CreDtTm>"
        "<Acct><Id><IBAN>LT083999001690831264</IBAN></Id></Acct>"
        '<Ntry><NtryRef>R1</NtryRef><Amt Ccy="EUR">10</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
        f"<BookgDt>{booked}</BookgDt><BkTxCd/></Ntry></Ntfctn></BkToCstmrDbtCdtNtfctn></Document>"
    ).encode()


def upload(execution: str) -> bytes:
    return upload_of(line("A")).replace(b"<Dt>2026-11-20</Dt>", execution.encode())


@OUT_OF_RANGE
def test_a_time_that_cannot_be_held_makes_the_message_invalid(text: str) -> None:
    with pytest.raises(MessageInvalid):
        read_inbound("sepa_instant", status(text))
    assert [one.reason_code for one in read_upload(upload(f"<DtTm>{text}</DtTm>")).faults] == ["DT01"]


@pytest.mark.parametrize(
    "text", ["<DtTm>9999-12-31T24:00:00Z</DtTm>", "<Dt>12026-01-01</Dt>", "<DtTm>-0001-01-01T00:00:00Z</DtTm>"]
)
def test_a_day_that_there_is_not_makes_the_notice_invalid(text: str) -> None:
    with pytest.raises(MessageInvalid):
        read_inbound("sepa_instant", notice(text))


def test_the_end_of_a_day_is_the_beginning_of_the_next() -> None:
    outcome = read_inbound("sepa_instant", status(END_OF_DAY)).report.answers[REFERENCE]
    assert isinstance(outcome, Settled)
    assert outcome.at == datetime(2026, 11, 30, tzinfo=UTC)
    assert read_upload(upload(f"<DtTm>{END_OF_DAY}</DtTm>")).execute_on == [datetime(2026, 11, 30, tzinfo=UTC)]
    [movement] = read_inbound("sepa_instant", notice(f"<DtTm>{END_OF_DAY}</DtTm>")).account.movements
    assert movement.day == date(2026, 11, 30)


def test_a_notice_keeps_the_day_that_the_bank_writes() -> None:
    [movement] = read_inbound("sepa_instant", notice("<DtTm>9999-12-31T23:59:59-01:00</DtTm>")).account.movements
    assert movement.day == date(9999, 12, 31)
