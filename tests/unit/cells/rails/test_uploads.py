"""A partner's pain.001: its lines, its faults by line, and the files that are refused whole."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from cells.rails.iso20022.uploads import Upload, read_upload
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


def described(**parts: str) -> str:
    """One line with what is put before or in place of an element of its own; `below`: after CdtrAcct."""
    text = line("A", creditor=parts.get("creditor", NAME + IBAN) + parts.get("below", ""))
    for name in ("Amt", "RmtInf", "PmtId"):
        if name in parts:
            text = re.sub(f"<{name}>.*</{name}>", parts[name].replace("\\", r"\\"), text)
    return text


def of_block(body: bytes, **parts: str) -> bytes:
    """`body` with elements of its PmtInf replaced, or, `after_PmtMtd`, put in."""
    text = body.decode()
    for name, value in parts.items():
        if name.startswith("after_"):
            text = re.sub(f"(<{name[6:]}>.*?</{name[6:]}>)", rf"\1{value}", text, count=1)
        else:
            text = re.sub(f"<{name}>.*?</{name}>", value, text, count=1)
    return text.encode()


def codes(found: Upload) -> list[tuple[str, str]]:
    """(reason code, element) of each fault."""
    return [(one.reason_code, one.path.rpartition("/")[2]) for one in found.faults]


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
    assert [(one.line, one.ids["end_to_end_id"], one.amount_minor, one.currency) for one in found.lines] == [
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
    assert (first.debtor_account, first.remittance.text) == ("LT643999001123456789", "Invoice 1")
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
        (line("X", creditor=NAME + OTHER), "AC03"),
        (line("X", "1000000", "IDR", NAME + OTHER), "AGNT"),
        (line("A"), "DU04"),
    ],
)
def test_a_fault_is_told_of_its_line_and_quotes_nothing(bad: str, code: str) -> None:
    found = read_upload(upload(line("A"), bad, line("B")))
    assert (2, code) in [(one.line, one.reason_code) for one in found.faults]
    assert found.lines[-1].ids["end_to_end_id"] == "B"
    assert {one.line for one in found.lines} | {one.line for one in found.faults} == {1, 2, 3}
    assert "Budi" not in repr(found)


@pytest.mark.parametrize(
    "body",
    [
        upload(line("A"), count=2),
        upload(),
        upload(line("A"), control="<CtrlSum>12.51</CtrlSum>"),
        upload(line("A")).replace(b"pain.001.001.09", b"pain.001.001.12"),
        upload(line("A")).replace(b"</Document>", b""),
    ],
)
def test_a_spoilt_file_is_refused_whole(body: bytes) -> None:
    with pytest.raises(MessageInvalid):
        read_upload(body)


@pytest.mark.parametrize("digits", [16, 5_000, 100_000])
def test_a_number_of_payments_that_no_number_holds_is_refused_by_name(digits: int) -> None:
    with pytest.raises(MessageInvalid) as refused:
        read_upload(upload(line("A")).replace(b"<NbOfTxs>1<", b"<NbOfTxs>" + b"9" * digits + b"<"))
    assert "NbOfTxs" in str(refused.value.extra["faults"])


def test_a_token_names_a_creditor_of_another_region_and_nothing_else_does() -> None:
    token = f"<InstrForDbtrAgt>rcp_id1_{'0' * 26}.IDR.{'A' * 86}</InstrForDbtrAgt>"
    found = read_upload(upload(line("A", "1000000", "IDR", token), line("B", creditor=NAME + IBAN + token)))
    [named] = found.lines
    assert named.creditor is None
    assert named.recipient_token.startswith("rcp_id1_")
    assert [(one.line, one.reason_code) for one in found.faults] == [(2, "BE22")]
    assert found.execute_on == [datetime(2026, 11, 20, tzinfo=UTC)]


def test_the_version_that_most_systems_write_is_read_alike() -> None:
    new = upload(
        described(creditor="<CdtrAgt><FinInstnId><BICFI>COBADEFFXXX</BICFI></FinInstnId></CdtrAgt>" + NAME + IBAN)
    )
    old = (
        new.replace(b"pain.001.001.09", b"pain.001.001.03")
        .replace(b"BICFI", b"BIC")
        .replace(b"<Dt>", b"")
        .replace(b"</Dt>", b"")
    )
    assert read_upload(old) == read_upload(new)
    assert read_upload(old).lines[0].creditor.account.bank == "COBADEFFXXX"


def test_the_root_says_the_kind() -> None:
    plain = upload(line("A"))
    other = b"<!-- urn:iso:std:iso:20022:tech:xsd:pain.001.001.03 -->" + plain
    prefixed = plain.replace(
        b"<Document xmlns=", b"<p:Document xmlns:h='urn:iso:std:iso:20022:tech:xsd:head.001.001.02' xmlns:p="
    )
    prefixed = re.sub(rb"<(/?)(?!p:)([A-Z])", rb"<\1p:\2", prefixed)
    for body in (other, prefixed, b"\xef\xbb\xbf" + plain.replace(b"><", b">\r\n<")):
        assert [one.ids for one in read_upload(body).lines] == [one.ids for one in read_upload(plain).lines]
    with pytest.raises(MessageInvalid, match=r"Expected pain.001.001.03 or pain.001.001.09, found pain.001.001.12"):
        read_upload(plain.replace(b"001.09", b"001.12"))
    with pytest.raises(MessageInvalid, match=r"Line 1: Nm is in the namespace urn:x"):
        read_upload(plain.replace(b"<Nm>Acme", b"<Nm xmlns='urn:x'>Acme", 1))


@pytest.mark.parametrize(
    ("date", "at"),
    [
        ("<Dt>2026-12-01</Dt>", datetime(2026, 12, 1, tzinfo=UTC)),
        ("<Dt>2026-12-01Z</Dt>", datetime(2026, 12, 1, tzinfo=UTC)),
        ("<Dt>2026-12-01+02:00</Dt>", datetime(2026, 11, 30, 22, tzinfo=UTC)),
        ("<DtTm>2026-11-30T24:00:00</DtTm>", datetime(2026, 12, 1, tzinfo=UTC)),
        ("<DtTm>2026-11-30T24:00:00+07:00</DtTm>", datetime(2026, 11, 30, 17, tzinfo=UTC)),
        ("<DtTm>2026-12-01T08:00:00.123456789+01:00</DtTm>", datetime(2026, 12, 1, 7, 0, 0, 123456, tzinfo=UTC)),
    ],
)
def test_dates_that_the_standard_allows_are_right(date: str, at: datetime) -> None:
    body = of_block(upload(line("A")), ReqdExctnDt=f"<ReqdExctnDt>{date}</ReqdExctnDt>")
    assert read_upload(body).execute_on == [at]


def test_a_day_without_a_zone_is_one_of_the_region() -> None:
    jakarta = ZoneInfo("Asia/Jakarta")
    for date in ("<Dt>2026-12-01</Dt>", "<DtTm>2026-12-01T00:00:00</DtTm>"):
        body = of_block(upload(line("A")), ReqdExctnDt=f"<ReqdExctnDt>{date}</ReqdExctnDt>")
        assert read_upload(body, jakarta).execute_on == [datetime(2026, 11, 30, 17, tzinfo=UTC)]
    zoned = of_block(upload(line("A")), ReqdExctnDt="<ReqdExctnDt><Dt>2026-12-01Z</Dt></ReqdExctnDt>")
    assert read_upload(zoned, jakarta).execute_on == [datetime(2026, 12, 1, tzinfo=UTC)]


def test_a_text_that_would_lose_its_letters_is_refused_on_its_line() -> None:
    lost = described(RmtInf="<RmtInf><Ustrd>发票 4711</Ustrd></RmtInf>")
    spelled = described(
        PmtId="<PmtId><EndToEndId>B</EndToEndId></PmtId>", RmtInf="<RmtInf><Ustrd>Größe Łódź №7</Ustrd></RmtInf>"
    )
    found = read_upload(upload(lost, spelled))
    assert [(one.line, one.reason_code) for one in found.faults] == [(1, "CH16")]
    assert [one.line for one in found.lines] == [2]


def test_ids_within_a_file_are_unique_and_notprovided_is_none() -> None:
    both = "<PmtId><InstrId>{0}</InstrId><EndToEndId>{1}</EndToEndId></PmtId>"
    found = read_upload(
        upload(
            described(PmtId=both.format("I1", "A")),
            described(PmtId=both.format("I1", "B")),
            described(PmtId=both.format("I2", "B")),
        )
    )
    assert [(one.line, one.reason_code) for one in found.faults] == [(1, "DU05"), (2, "DU04"), (2, "DU05"), (3, "DU04")]
    none = both.format("NOTPROVIDED", "NOTPROVIDED")
    found = read_upload(upload(described(PmtId=none), described(PmtId=none)))
    assert [one.ids for one in found.lines] == [{"payment_information_id": "P1"}] * 2
    whole = upload(line("A"), line("B"))
    split = whole.replace(b"<CdtTrfTxInf><PmtId><EndToEndId>B", b"</PmtInf>" + whole[whole.index(b"<PmtInf>") : whole.index(b"<CdtTrf")]
                          + b"<CdtTrfTxInf><PmtId><EndToEndId>B")  # fmt: skip
    assert [(one.line, one.reason_code) for one in read_upload(split).faults] == [(2, "DU02")]


def test_a_file_is_known_again_by_its_message_id_and_who_sends_it() -> None:
    key = read_upload(upload(line("A"))).file_key
    assert key == read_upload(upload(line("B", "7.00"), line("C"))).file_key
    assert key == read_upload(upload(line("A")).replace(b"<Nm>Acme</Nm></Init", b"<Nm> ACME </Nm></Init")).file_key
    assert key != read_upload(upload(line("A")).replace(b"M1", b"M2")).file_key
    assert key != read_upload(upload(line("A")).replace(b"<Nm>Acme</Nm></Init", b"<Nm>Bmce</Nm></Init")).file_key
    assert read_upload(upload(line("A")).replace(b"M1", b"NOTPROVIDED")).file_key == ""


def test_every_fault_of_a_file_is_said_at_once_with_its_place_and_no_value() -> None:
    bad = [
        line("A" * 36),
        line("B", "12.5x"),
        line("C", creditor=NAME + IBAN.replace("DE89", "de 89")),
        line("D").replace("<RmtInf>", "<Foo>secret</Foo><RmtInf>"),
        line("E").replace(' Ccy="EUR"', ""),
        line("F", "0", creditor=NAME.replace("Budi Santoso", "") + IBAN),
    ]
    body = b"\n".join(upload(*bad, line("G"), count=3).split(b"<CdtTrfTxInf>")).replace(b"\n", b"\n<CdtTrfTxInf>")
    with pytest.raises(MessageInvalid) as refused:
        read_upload(body)
    said = [(one["file_line"], one["line"], one["reason_code"], one["path"].rpartition("CstmrCdtTrfInitn/")[2], one["detail"])
            for one in refused.value.extra["faults"]]  # fmt: skip
    at = "PmtInf/CdtTrfTxInf"
    assert said == [
        (1, 0, "AM18", "GrpHdr/NbOfTxs", "NbOfTxs is 3, and the file holds 7."),
        (2, 1, "FF01", f"{at}[1]/PmtId/EndToEndId", "EndToEndId has 36 characters; the maximum is 35."),
        (3, 2, "FF01", f"{at}[2]/Amt/InstdAmt", "InstdAmt does not have the form that the schema gives it."),
        (4, 3, "FF01", f"{at}[3]/CdtrAcct/Id/IBAN", "IBAN does not fit the pattern [A-Z]{2,2}[0-9]{2,2}[a-zA-Z0-9]{1,30}."),
        (5, 4, "FF01", f"{at}[4]/Foo", ("Foo is not expected here; expected: UltmtCdtr, InstrForCdtrAgt, InstrForDbtrAgt, Purp, RgltryRptg, Tax, "
         "RltdRmtInf, RmtInf, SplmtryData.")),
        (6, 5, "FF01", f"{at}[5]/Amt/InstdAmt", "InstdAmt lacks the attribute Ccy."),
        (7, 6, "FF01", f"{at}[6]/Cdtr/Nm", "Nm has 0 characters; the minimum is 1."),
    ]  # fmt: skip
    assert "secret" not in repr(refused.value.extra)
    # With the count mended the one good line stands.
    assert [one.ids["end_to_end_id"] for one in read_upload(body.replace(b"<NbOfTxs>3", b"<NbOfTxs>7")).lines] == ["G"]


def test_every_payment_says_where_it_begins_in_the_file() -> None:
    body = upload(line("A"), line("B", "0"), line("C")).replace(b"<CdtTrfTxInf>", b"\n<CdtTrfTxInf\n>")
    assert list(read_upload(body).file_lines) == [3, 5, 7]
    assert {one.file_line for one in read_upload(body).faults} == {5}
    high = upload(line("A"), line("B")).replace(b"<CdtTrfTxInf>", b"\n" * 70_000 + b"<CdtTrfTxInf>")
    assert list(read_upload(high).file_lines) == [70_001, 140_001]


def test_totals_are_held_against_the_file_and_each_block() -> None:
    for wrong, code in ((b"<NbOfTxs>2</NbOfTxs>", "AM18"), (b"<CtrlSum>12.51</CtrlSum>", "AM10")):
        with pytest.raises(MessageInvalid) as refused:
            read_upload(upload(line("A")).replace(b"<PmtMtd>TRF</PmtMtd>", b"<PmtMtd>TRF</PmtMtd>" + wrong))
        [fault] = refused.value.extra["faults"]
        assert (fault["reason_code"], fault["line"]) == (code, 0)
    assert fault["detail"] == "CtrlSum is 12.51, and the amounts of the block add up to 12.50."
