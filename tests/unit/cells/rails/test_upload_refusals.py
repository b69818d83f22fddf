"""What a pain.001 says beside the money: carried with its line, or refused by name with the line or the block that says it."""

import pytest

from cells.rails.iso20022.uploads import read_upload
from tests.unit.cells.rails.test_uploads import (
    BANK,
    IBAN,
    NAME,
    OTHER,
    SORT_CODE,
    codes,
    described,
    line,
    of_block,
    upload,
)

SCOR = "<Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp>"


def strd(inner: str) -> str:
    return f"<RmtInf><Strd>{inner}</Strd></RmtInf>"


def test_a_structured_reference_is_carried() -> None:
    said = [
        strd(f"<CdtrRefInf>{SCOR}<Ref>RF18539007547034</Ref></CdtrRefInf>"),
        strd(f"<CdtrRefInf>{SCOR}<Ref>RF18 5390 0754 7034</Ref></CdtrRefInf>"),
        strd(f"<CdtrRefInf>{SCOR[:-5]}<Issr>BBA</Issr></Tp><Ref>010806817183</Ref></CdtrRefInf>"),
    ]
    lines = [read_upload(upload(described(RmtInf=one))).lines[0].remittance for one in said]
    assert [(one.reference, one.issuer) for one in lines] == [
        ("RF18539007547034", ""), ("RF18539007547034", ""), ("010806817183", "BBA"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "code", "element"),
    [
        ({"RmtInf": strd(f"<CdtrRefInf>{SCOR}<Ref>RF19539007547034</Ref></CdtrRefInf>")}, "RR09", "Ref"),
        ({"RmtInf": strd("<CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf>")}, "RR07", "CdtrRefInf"),
        ({"RmtInf": strd(f"<CdtrRefInf>{SCOR.replace('SCOR', 'PUOR')}<Ref>1</Ref></CdtrRefInf>")}, "RR07", "CdtrRefInf"),
        ({"RmtInf": strd("<RfrdDocInf><Nb>INV-1</Nb></RfrdDocInf>")}, "RR07", "RfrdDocInf"),
        ({"RmtInf": "<RmtInf><Ustrd>x</Ustrd>" + strd(f"<CdtrRefInf>{SCOR}<Ref>1</Ref></CdtrRefInf>")[8:]}, "RR07", "Strd"),
        ({"RmtInf": f"<RmtInf><Ustrd>{'x' * 100}</Ustrd><Ustrd>{'y' * 40}</Ustrd></RmtInf>"}, "RR08", "RmtInf"),
        ({"RmtInf": f"<RmtInf><Ustrd>{'x' * 141}</Ustrd></RmtInf>"}, "FF01", "Ustrd"),
        ({"creditor": NAME.replace("Budi Santoso", "B" * 71) + IBAN}, "CH16", "Nm"),
        ({"creditor": NAME.replace("<TwnNm>Jakarta</TwnNm>", "<AdrLine>Jalan 1</AdrLine>").replace("<AdrLine>Jalan 1</AdrLine><Ctry>ID</Ctry>",
            "<Ctry>ID</Ctry><AdrLine>Jalan 1</AdrLine>") + IBAN}, "BE04", "PstlAdr"),
        ({"creditor": NAME.replace("</PstlAdr>", "<AdrLine>1</AdrLine><AdrLine>2</AdrLine><AdrLine>3</AdrLine></PstlAdr>") + IBAN},
            "BE04", "AdrLine[3]"),
        ({"creditor": NAME.replace("<TwnNm>", "<PstBx>12</PstBx><TwnNm>") + IBAN}, "BE04", "PstBx"),
        ({"creditor": NAME.replace("</Cdtr>", "<Id><OrgId><Othr><Id>DE1</Id></Othr></OrgId></Id></Cdtr>") + IBAN}, "CH17", "Othr"),
        ({"creditor": NAME.replace("</Cdtr>", "<Id><OrgId><LEI>5493001KJTIIGC8Y1R13</LEI></OrgId></Id></Cdtr>") + IBAN}, "BE17", "LEI"),
        ({"creditor": NAME.replace("</Cdtr>", "<Id><PrvtId><Othr><Id>1</Id></Othr></PrvtId></Id></Cdtr>") + IBAN}, "CH17", "PrvtId"),
        ({"creditor": NAME + IBAN.replace("</Id></CdtrAcct>", "</Id><Ccy>USD</Ccy></CdtrAcct>")}, "AC11", "Ccy"),
        ({"creditor": "<UltmtDbtr><Nm>Someone Else</Nm></UltmtDbtr>" + NAME + IBAN}, "CH17", "UltmtDbtr"),
        ({"below": "<UltmtCdtr><Nm>Someone Else</Nm></UltmtCdtr>"}, "CH17", "UltmtCdtr"),
        ({"below": "<InstrForDbtrAgt>please hurry</InstrForDbtrAgt>"}, "CH17", "InstrForDbtrAgt"),
        ({"below": "<Purp><Prtry>X</Prtry></Purp>"}, "FF07", "Prtry"),
        ({"PmtId": "<PmtId><EndToEndId>A</EndToEndId><UETR>8a562c67-ca16-48ba-b074-65581be6f001</UETR></PmtId>"}, "CH17", "UETR"),
        ({"Amt": "<Amt><EqvtAmt><Amt Ccy='EUR'>1</Amt><CcyOfTrf>GBP</CcyOfTrf></EqvtAmt></Amt>"}, "AM09", "EqvtAmt"),
        ({"creditor": "<ChrgBr>DEBT</ChrgBr>" + NAME + IBAN}, "CH16", "ChrgBr"),
        ({"creditor": "<ChrgBr>SHAR</ChrgBr>" + NAME + IBAN}, "CH16", "ChrgBr"),
        ({"creditor": SORT_CODE.replace("<MmbId>", "<ClrSysId><Cd>USABA</Cd></ClrSysId><MmbId>") + NAME + IBAN}, "RC04", "FinInstnId"),
        ({"below": "<Tax><RefNb>1</RefNb></Tax>"}, "CH17", "Tax"),
    ],
)  # fmt: skip
def test_what_is_not_carried_is_refused_by_name(given: dict[str, str], code: str, element: str) -> None:
    found = read_upload(upload(described(**given), line("B")))
    assert (code, element) in codes(found)
    assert {one.line for one in found.faults} == {1}
    assert [one.ids["end_to_end_id"] for one in found.lines] == ["B"]


@pytest.mark.parametrize(
    ("given", "code", "element"),
    [
        ({"PmtMtd": "<PmtMtd>CHK</PmtMtd>"}, "CH16", "PmtMtd"),
        ({"PmtMtd": "<PmtMtd>TRA</PmtMtd>"}, "CH16", "PmtMtd"),
        ({"DbtrAgt": "<DbtrAgt><FinInstnId><BICFI>COBADEFFXXX</BICFI></FinInstnId></DbtrAgt>"}, "RC03", "BICFI"),
        ({"after_PmtMtd": "<PmtTpInf><SvcLvl><Cd>SDVA</Cd></SvcLvl></PmtTpInf>"}, "FF04", "Cd"),
        ({"after_PmtMtd": "<PmtTpInf><LclInstrm><Cd>INST</Cd></LclInstrm></PmtTpInf>"}, "FF05", "LclInstrm"),
        ({"after_ReqdExctnDt": "<PoolgAdjstmntDt>2026-11-20</PoolgAdjstmntDt>"}, "CH17", "PoolgAdjstmntDt"),
        ({"ReqdExctnDt": "<ReqdExctnDt><DtTm>9999-12-31T23:59:59-01:00</DtTm></ReqdExctnDt>"}, "DT01", "DtTm"),
        ({"ReqdExctnDt": "<ReqdExctnDt><Dt>0001-01-01+14:00</Dt></ReqdExctnDt>"}, "DT01", "Dt"),
        ({"ReqdExctnDt": "<ReqdExctnDt><Dt>-0044-03-15</Dt></ReqdExctnDt>"}, "DT01", "Dt"),
    ],
)
def test_a_block_that_asks_for_what_is_not_done_is_refused_with_its_lines_alone(
    given: dict[str, str], code: str, element: str
) -> None:
    whole = upload(line("A"), line("B"))
    block = whole[whole.index(b"<PmtInf>") : whole.index(b"</CstmrCdtTrfInitn>")]
    second = block.replace(b"P1", b"P2").replace(b">A<", b">C<").replace(b">B<", b">D<")
    body = of_block(whole, **given).replace(b"</PmtInf>", b"</PmtInf>" + second).replace(b"<NbOfTxs>2", b"<NbOfTxs>4")
    found = read_upload(body)
    assert {one.line for one in found.faults} == {1, 2}
    assert set(codes(found)) == {(code, element)}
    assert [one.line for one in found.lines] == [3, 4]


def test_what_a_rail_carries_is_carried() -> None:
    creditor = (
        "<Cdtr><Nm>Muster KG</Nm><PstlAdr><StrtNm>Musterweg</StrtNm><BldgNb>3</BldgNb><PstCd>10115</PstCd><TwnNm>Berlin</TwnNm>"
        "<CtrySubDvsn>BE</CtrySubDvsn><Ctry>DE</Ctry></PstlAdr><Id><OrgId><LEI>5493001KJTIIGC8Y1R12</LEI></OrgId></Id></Cdtr>"
    )
    below = "<UltmtCdtr><Nm>Muster  KG</Nm></UltmtCdtr><Purp><Cd>SUPP</Cd></Purp>"
    text = "<RmtInf><Ustrd>Zeile eins\nZeile zwei</Ustrd><Ustrd>drei</Ustrd></RmtInf>"
    body = of_block(
        upload(described(creditor=creditor + IBAN, below=below, RmtInf=text)),
        after_PmtMtd="<PmtTpInf><SvcLvl><Cd>SEPA</Cd></SvcLvl><CtgyPurp><Cd>SUPP</Cd></CtgyPurp></PmtTpInf>",
    )
    [found] = read_upload(body).lines
    party, said = found.creditor, found.remittance
    assert (party.street, party.building, party.postcode, party.town, party.subdivision, party.country, party.lei) == (
        "Musterweg", "3", "10115", "Berlin", "BE", "DE", "5493001KJTIIGC8Y1R12",
    )  # fmt: skip
    assert (said.text, said.purpose, said.category_purpose) == ("Zeile eins Zeile zwei drei", "SUPP", "SUPP")
    hybrid = NAME.replace("</PstlAdr>", "<AdrLine>Ring 1</AdrLine><AdrLine>Stiege 2</AdrLine></PstlAdr>")
    assert read_upload(upload(described(creditor=hybrid + IBAN))).lines[0].creditor.lines == ("Ring 1", "Stiege 2")
    # No rail of rupiah is known to carry a purpose.
    rupiah = described(creditor=BANK + NAME + OTHER, below="<Purp><Cd>SUPP</Cd></Purp>").replace(
        '"EUR">12.50', '"IDR">50000'
    )
    assert codes(read_upload(upload(rupiah, line("B")))) == [("FF07", "Purp")]


@pytest.mark.parametrize(
    ("account", "agent", "number"),
    [
        ("<Othr><Id>31926819</Id></Othr>", "60-16-13", "60161331926819"),
        ("<Othr><Id>60161331926819</Id><SchmeNm><Cd>BBAN</Cd></SchmeNm></Othr>", "601613", "60161331926819"),
        ("<IBAN>GB29NWBK60161331926819</IBAN>", "601613", "GB29NWBK60161331926819"),
        ("<Othr><Id>60161331926819</Id></Othr>", "200000", None),
        ("<IBAN>GB29NWBK60161331926819</IBAN>", "200000", None),
        ("<Othr><Id>31926819</Id><SchmeNm><Cd>BGNR</Cd></SchmeNm></Othr>", "601613", None),
    ],
)
def test_the_debtors_uk_account_is_read_with_its_sort_code_or_refused(
    account: str, agent: str, number: str | None
) -> None:
    bank = f"<DbtrAgt><FinInstnId><ClrSysMmbId><ClrSysId><Cd>GBDSC</Cd></ClrSysId><MmbId>{agent}</MmbId></ClrSysMmbId></FinInstnId></DbtrAgt>"
    body = of_block(upload(line("A")), DbtrAcct=f"<DbtrAcct><Id>{account}</Id></DbtrAcct>", DbtrAgt=bank)
    found = read_upload(body)
    assert [one.debtor_account for one in found.lines] == ([] if number is None else [number])
    assert bool(found.faults) == (number is None)
