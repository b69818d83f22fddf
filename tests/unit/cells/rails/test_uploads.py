"""A partner's pain.001: its lines, its faults by line, and the files that are refused whole."""

from datetime import UTC, datetime

import pytest

from cells.rails.iso20022.uploads import read_upload
from cells.rails.rail import MessageInvalid

SPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
IBAN = "<CdtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></CdtrAcct>"
OTHER = "<CdtrAcct><Id><Othr><Id>1234567890</Id></Othr></Id></CdtrAcct>"
BANK = "<CdtrAgt><FinInstnId><Othr><Id>014</Id></Othr></FinInstnId></CdtrAgt>"
SORT_CODE = "<CdtrAgt><FinInstnId><ClrSysMmbId><MmbId>601613</MmbId></ClrSysMmbId></FinInstnId></CdtrAgt>"
NAME = "<Cdtr><Nm>Budi Santoso</Nm><PstlAdr><TwnNm>Jakarta</TwnNm><Ctry>ID</Ctry></PstlAdr></Cdtr>"


def line(reference: str, amount: str = "12.50", currency: str = "EUR", creditor: str = NAME + IBAN) -> str:
    return (
        f"<CdtTrfTxInf><PmtId><EndToEndId>{reference}</EndToEndId></PmtId>"
        f'<Amt><InstdAmt Ccy="{currency}">{amount}</InstdAmt></Amt>{creditor}'
        "<RmtInf><Ustrd>Invoice 1</Ustrd></RmtInf></CdtTrfTxInf>"
    )


def upload(*lines: str, count: int | None = None, control: str = "") -> bytes:
    return (
        f'<Document xmlns="{SPACE}"><CstmrCdtTrfInitn><GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-20T09:30:00Z</CreDtTm>'
        f"<NbOfTxs>{len(lines) if count is None else count}</NbOfTxs>{control}<InitgPty><Nm>Acme</Nm></InitgPty></GrpHdr>"
        "<PmtInf><PmtInfId>P1</PmtInfId><PmtMtd>TRF</PmtMtd><ReqdExctnDt><Dt>2026-11-20</Dt></ReqdExctnDt>"
        "<Dbtr><Nm>Acme</Nm></Dbtr><DbtrAcct><Id><IBAN>LT643999001123456789</IBAN></Id></DbtrAcct>"
        f"<DbtrAgt><FinInstnId/></DbtrAgt>{''.join(lines)}</PmtInf></CstmrCdtTrfInitn></Document>"
    ).encode()


def test_lines_are_read_in_order() -> None:
    control = "<CtrlSum>1000025.00</CtrlSum>"
    idr, gbp = line("B", "1000000", "IDR", BANK + NAME + OTHER), line("C", "12.50", "GBP", SORT_CODE + NAME + OTHER)
    found = read_upload(upload(line("A"), idr, gbp, control=control))
    assert (found.message_id, found.faults) == ("M1", [])
    assert [(one.line, one.end_to_end_id, one.amount_minor, one.currency) for one in found.lines] == [
        (1, "A", 1_250, "EUR"),
        (2, "B", 100_000_000, "IDR"),
        (3, "C", 1_250, "GBP"),
    ]
    accounts = [one.creditor.account for one in found.lines]
    assert [(one.form, one.number, one.bank) for one in accounts if one is not None] == [
        ("iban", "DE89370400440532013000", ""),
        ("id", "1234567890", "014"),
        ("uk", "1234567890", "601613"),
    ]
    first = found.lines[0]
    assert (first.debtor_account, first.remittance) == ("LT643999001123456789", "Invoice 1")
    assert (first.creditor.name, first.creditor.town, first.creditor.country) == ("Budi Santoso", "Jakarta", "ID")


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (line("X", "12.505"), "AM12"),
        (line("X", "0"), "AM12"),
        (line("X", "1000000.50", "IDR"), "AM12"),
        (line("X", "1", "XTS"), "AM03"),
        (line("X", creditor=IBAN), "BE22"),
        (line("X", creditor=NAME), "AC02"),
        (line("X", creditor=NAME + OTHER), "AGNT"),
        (line("A"), "AM05"),
    ],
)
def test_a_fault_is_told_of_its_line_and_quotes_nothing(bad: str, code: str) -> None:
    found = read_upload(upload(line("A"), bad, line("B")))
    assert [(one.line, one.reason_code) for one in found.faults][-1] == (2, code)
    assert found.lines[-1].end_to_end_id == "B"
    assert len(found.lines) + len(found.faults) == 3
    assert "Budi" not in repr(found)


@pytest.mark.parametrize(
    "body",
    [
        upload(line("A"), count=2),
        upload(),
        upload(line("A"), control="<CtrlSum>12.51</CtrlSum>"),
        upload(line("A")).replace(b"pain.001.001.09", b"pain.001.001.03"),
        upload(line("A")).replace(b"</Document>", b""),
    ],
)
def test_a_spoilt_file_is_refused_whole(body: bytes) -> None:
    with pytest.raises(MessageInvalid):
        read_upload(body)


def test_a_token_names_a_creditor_of_another_region_and_nothing_else_does() -> None:
    token = f"<InstrForDbtrAgt>rcp_id1_{'0' * 26}.IDR.{'A' * 86}</InstrForDbtrAgt>"
    found = read_upload(upload(line("A", "1000000", "IDR", token), line("B", creditor=NAME + IBAN + token)))
    [named] = found.lines
    assert named.creditor is None
    assert named.recipient_token.startswith("rcp_id1_")
    assert [(one.line, one.reason_code) for one in found.faults] == [(2, "BE22")]
    assert found.execute_on == [datetime(2026, 11, 20, tzinfo=UTC)]
