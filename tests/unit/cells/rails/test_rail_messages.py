"""ISO 20022 messages: what is built is read back whole; what is wrong, mutated or hostile is refused."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from cells.rails.inbound import build_answer, read_inbound
from cells.rails.iso20022 import payments
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import Account, MessageInvalid, Party
from cells.rails.remittance import Remittance
from tests.support.schemes import payout

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
EVERY_RAIL = pytest.mark.parametrize("rail", sorted(rail_profiles()))
SEPA = rail_profiles()["sepa_instant"]
MESSAGE = payments.build(SEPA, "KOVRLT21", [payout(SEPA)], NOW)


@EVERY_RAIL
def test_what_is_built_is_read_back(rail: str) -> None:
    profile = rail_profiles()[rail]
    asked = [payout(profile, name=f"Payee {index}") for index in range(3)]
    found = payments.parse(profile, payments.build(profile, profile.participant_of(1), asked, NOW), NOW)
    for one, read in zip(asked, found, strict=True):
        assert (read.amount_minor, read.currency) == (one.amount_minor, one.currency)
        assert read.end_to_end_id == one.end_to_end_id
        assert read.creditor_account == one.creditor.account
        assert read.debtor.name == "Jurgen Weiss"
        assert (read.debtor.town, read.debtor.country) == ("Vilnius", "LT")
        assert read.remittance == "Invoice 4711"


@pytest.mark.parametrize("rail", sorted(name for name, one in rail_profiles().items() if one.carries))
def test_what_a_partner_says_beside_the_money_is_sent(rail: str) -> None:
    profile = rail_profiles()[rail]
    payee = Party(
        "Muster KG",
        Account("iban", "DE89370400440532013000"),
        "DE",
        "Berlin",
        "Musterweg",
        "10115",
        "3",
        "BE",
        lei="5493001KJTIIGC8Y1R12",
    )
    hybrid = Party("Beispiel OG", payee.account, "AT", "Wien", lines=("Ring 1", "Stiege 2"))
    said = Remittance(reference="RF18539007547034", issuer="ISO", purpose="SUPP", category_purpose="SUPP")
    asked = [replace(payout(profile), creditor=payee, remittance=said), replace(payout(profile), creditor=hybrid)]
    body = payments.build(profile, profile.participant_of(1), asked, NOW)
    root = etree.fromstring(body)
    for one in root.iter():
        one.tag = etree.QName(one).localname
    first, second = root.iter("CdtTrfTxInf")
    strd = first.find("RmtInf/Strd/CdtrRefInf")
    assert [strd.findtext(path) for path in ("Tp/CdOrPrtry/Cd", "Tp/Issr", "Ref")] == [
        "SCOR",
        "ISO",
        "RF18539007547034",
    ]
    assert [first.findtext(path) for path in ("Purp/Cd", "PmtTpInf/CtgyPurp/Cd", "Cdtr/Id/OrgId/LEI")] == [
        "SUPP",
        "SUPP",
        payee.lei,
    ]
    assert [(one.tag, one.text) for one in first.find("Cdtr/PstlAdr")] == [
        ("StrtNm", "Musterweg"), ("BldgNb", "3"), ("PstCd", "10115"), ("TwnNm", "Berlin"), ("CtrySubDvsn", "BE"), ("Ctry", "DE"),
    ]  # fmt: skip
    assert [one.text for one in second.findall("Cdtr/PstlAdr/AdrLine")] == ["Ring 1", "Stiege 2"]
    assert [one.remittance for one in payments.parse(profile, body, NOW)] == ["RF18539007547034", "Invoice 4711"]


@EVERY_RAIL
def test_the_message_is_the_one_the_profile_names(rail: str) -> None:
    profile = rail_profiles()[rail]
    body = payments.build(profile, profile.participant_of(1), [payout(profile)], NOW)
    space = "{urn:iso:std:iso:20022:tech:xsd:" + profile.messages.payment + "}"
    root = etree.fromstring(body)
    assert root.tag == f"{space}Document"
    has_uetr = root.find(f".//{space}UETR") is not None
    assert has_uetr == profile.carries_uetr
    instrument = root.findtext(f".//{space}LclInstrm/{space}Cd")
    assert instrument == profile.payment_type.local_instrument


def test_the_same_payment_makes_the_same_ids() -> None:
    asked = payout(SEPA)
    first = payments.build(SEPA, "KOVRLT21", [asked], NOW)
    second = payments.build(SEPA, "KOVRLT21", [replace(asked)], NOW)
    assert first == second


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"1250.00", b"1250.001"),
        (b"1250.00", b"0.00"),
        (b"1250.00", b"-5.00"),
        (b"1250.00", b"NaN"),
        (b"1250.00", b"Infinity"),
        (b"1250.00", b"1E+900000"),
        (b"1250.00", b""),
        (b"1250.00", b"one"),
        (b'Ccy="EUR"', b'Ccy="GBP"'),
        (b'Ccy="EUR"', b""),
        (b'Ccy="EUR"', b'Ccy="EUR" Xtra="1"'),
        (b"<NbOfTxs>1", b"<NbOfTxs>2"),
        (b"<NbOfTxs>1</NbOfTxs>", b'<NbOfTxs>1</NbOfTxs><TtlIntrBkSttlmAmt Ccy="EUR">1000.00</TtlIntrBkSttlmAmt>'),
        (b"<NbOfTxs>1</NbOfTxs>", b'<NbOfTxs>1</NbOfTxs><TtlIntrBkSttlmAmt Ccy="USD">1250.00</TtlIntrBkSttlmAmt>'),
        (b"<NbOfTxs>1</NbOfTxs>", b"<NbOfTxs>1</NbOfTxs><CtrlSum>1250.01</CtrlSum>"),
        (b"pacs.008.001.08", b"pacs.008.001.09"),
        (b"<Dbtr>", b"<Unknown/><Dbtr>"),
        (b"<EndToEndId>", b"<EndToEndId><x/>"),
        (b"</Document>", b""),
        (b"<?xml", b"<!DOCTYPE d [<!ENTITY a 'b'>]><?xml"),
        (b"Jurgen", b"Jur\xffgen"),
        (b"Jurgen", b"Jur\x00gen"),
    ],
)
def test_a_spoilt_message_is_refused(old: bytes, new: bytes) -> None:
    assert old in MESSAGE
    with pytest.raises(MessageInvalid) as caught:
        read_inbound("sepa_instant", MESSAGE.replace(old, new))
    assert "Jurgen" not in str(caught.value)


def test_a_header_that_says_what_the_message_holds_is_taken() -> None:
    header = b'<NbOfTxs>0001</NbOfTxs><CtrlSum>1250</CtrlSum><TtlIntrBkSttlmAmt Ccy="EUR">1250.0</TtlIntrBkSttlmAmt>'
    assert len(read_inbound("sepa_instant", MESSAGE.replace(b"<NbOfTxs>1</NbOfTxs>", header)).credits) == 1


@pytest.mark.parametrize("body", [b"<rn:>x</rn:>", b"<a:b:c/>", b"<Document/>", b"<:Document/>"])
def test_a_root_with_a_name_of_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(MessageInvalid):
        read_inbound("sepa_instant", body)


def test_no_creditor_account_no_credit() -> None:
    start, end = MESSAGE.index(b"<CdtrAcct>"), MESSAGE.index(b"</CdtrAcct>") + len(b"</CdtrAcct>")
    with pytest.raises(MessageInvalid):
        read_inbound("sepa_instant", MESSAGE[:start] + MESSAGE[end:])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_mutations_never_crash_nor_change_the_currency(data: st.DataObject) -> None:
    spoilt = bytearray(MESSAGE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(spoilt) - 1))
        match data.draw(st.sampled_from(["change", "cut", "repeat"])):
            case "change":
                spoilt[at] = data.draw(st.integers(0, 255))
            case "cut":
                del spoilt[at : at + data.draw(st.integers(1, 60))]
            case _:
                spoilt[at:at] = spoilt[at : at + 40]
        if not spoilt:
            return
    try:
        found = read_inbound("sepa_instant", bytes(spoilt)).credits
    except MessageInvalid:
        return
    assert all(one.currency == "EUR" and one.amount_minor > 0 for one in found)


def test_our_answer_accepts_and_refuses_by_reference() -> None:
    [came] = read_inbound("sepa_instant", MESSAGE).credits
    first, second = (replace(came, scheme_reference=reference) for reference in ("IN1", "IN2"))
    root = etree.fromstring(build_answer("sepa_instant", [first, second], {"IN2": "AC01"}))
    found = [(one.findtext("{*}OrgnlTxId"), one.findtext("{*}TxSts")) for one in root.iterfind(".//{*}TxInfAndSts")]
    assert found == [("IN1", "ACCP"), ("IN2", "RJCT")]
    assert root.findtext(".//{*}StsRsnInf/{*}Rsn/{*}Cd") == "AC01"
