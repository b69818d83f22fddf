"""The ISO schemas, rebuilt from the typed classes: they hold what the typed parser lets pass, and nothing leaves that they refuse."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyiso20022.pacs.pacs_008_001_08 as pacs008
import pytest
from lxml import etree
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.serializers import XmlSerializer

from cells.rails.iso20022 import payments, recalls, returns, statuses
from cells.rails.iso20022.parties import address_fault
from cells.rails.iso20022.schema import schema_of
from cells.rails.iso20022.text import Unwritable, written
from cells.rails.iso20022.xml import MessageUnwritable, message_name, read
from cells.rails.later import RecallKept, RecallOut
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import Account, MessageInvalid, Party, Refused, ReturnOut
from cells.rails.registry import open_rail
from tests.support.schemes import RunningSchemes, payout

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SEPA = rail_profiles()["sepa_instant"]
EVERY_RAIL = pytest.mark.parametrize("rail", sorted(rail_profiles()))
NAME = "pacs.008.001.08"
MESSAGE = payments.build(SEPA, "KOVRLT21", [payout(SEPA)], NOW)


def outbound(rail: str) -> dict[str, bytes]:
    """One of each message that we send or answer with."""
    profile = rail_profiles()[rail]
    us = profile.participant_of(1)
    returned = ReturnOut("ret-1", "IN1", "E2E-1", 700, profile.currency, "AC04")
    came = payments.parse(profile, payments.build(profile, us, [payout(profile)], NOW), NOW)
    return {
        "payment": payments.build(profile, us, [payout(profile), payout(profile)], NOW),
        "inquiry": statuses.build_request(profile, ["tr-1", "tr-2"], NOW),
        "answer": statuses.build_answer(profile, came, {}, NOW),
        "refusal": statuses.build_answer(profile, came, {came[0].scheme_reference: "AC01"}, NOW),
        "return": returns.build_return(profile, us, [returned], NOW),
        "recall": recalls.build_recall(profile, us, [RecallOut("rc-1", "tr-1", 5, profile.currency, "DUPL")], NOW),
        "kept": recalls.build_answer(profile, us, [RecallKept("RC1", "IN1", "E2E", "CUST")], NOW),
    }


def kind_of(name: str) -> Any:
    module = __import__(f"pyiso20022.{name[:4]}.{name.replace('.', '_')}", fromlist=["Document"])
    return module.Document


def canonical(body: bytes) -> bytes:
    return bytes(etree.tostring(etree.fromstring(body), method="c14n"))


@EVERY_RAIL
def test_every_message_that_leaves_is_valid(rail: str) -> None:
    for what, body in outbound(rail).items():
        schema = schema_of(kind_of(message_name(body)))
        assert schema.validate(etree.fromstring(body)), (what, schema.error_log)


@EVERY_RAIL
def test_our_writer_says_what_the_librarys_own_says(rail: str) -> None:
    for body in outbound(rail).values():
        kind = kind_of(message_name(body))
        found = XmlParser().from_bytes(body, kind)
        theirs = XmlSerializer().render(found, ns_map={None: kind.Meta.namespace})
        assert canonical(body) == canonical(theirs.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<EndToEndId>", b"<EndToEndId>x</EndToEndId><EndToEndId>"),
        (b"</IntrBkSttlmAmt>", b'</IntrBkSttlmAmt><IntrBkSttlmAmt Ccy="EUR">9.00</IntrBkSttlmAmt>'),
        (b"<IBAN>", b"<IBAN>DE89</IBAN><IBAN>"),
        (b"<NbOfTxs>1", b"<NbOfTxs>one"),
        (b"<Ctry>ID", b"<Ctry>Indonesia"),
        (b"1250.00", b"1234567890123456789.00"),
        (b"<ChrgBr>SLEV", b"<ChrgBr>SOME"),
        (b"<Cd>SEPA", b"<Cd>SEPAA"),
        (b"<Nm>Budi Santoso</Nm>", b"<Nm>" + b"B" * 141 + b"</Nm>"),
        (b"<Nm>Budi Santoso</Nm>", b"<Nm></Nm>"),
        (b"<TwnNm>Jakarta</TwnNm><Ctry>ID</Ctry>", b"<Ctry>ID</Ctry><TwnNm>Jakarta</TwnNm>"),
    ],
)
def test_what_the_schema_refuses_is_not_read(old: bytes, new: bytes) -> None:
    assert old in MESSAGE
    with pytest.raises(MessageInvalid) as caught:
        read(MESSAGE.replace(old, new, 1), pacs008.Document, NAME)
    assert "Jakarta" not in str(caught.value)


def test_no_comment_hides_a_part_of_an_amount() -> None:
    for between in (b"<!-- -->", b"<?pi?>", b"<![CDATA[]]>"):
        [found] = payments.parse(SEPA, MESSAGE.replace(b"1250.00", b"12" + between + b"50.00"), NOW)
        assert found.amount_minor == 125_000


def test_another_encoding_is_not_taken() -> None:
    declared = MESSAGE.replace(b"encoding='UTF-8'", b"encoding='UTF-7'")
    assert declared != MESSAGE
    with pytest.raises(MessageInvalid, match="UTF-8"):
        read(declared, pacs008.Document, NAME)


def test_what_does_not_fit_is_not_written() -> None:
    broken = replace(payout(SEPA), creditor=Party("Budi", Account("iban", "DE89370400440532013000", "no bic")))
    with pytest.raises(MessageUnwritable, match="BICFI") as caught:
        payments.build(SEPA, "KOVRLT21", [broken], NOW)
    assert "no bic" not in str(caught.value)


@pytest.mark.parametrize(
    ("party", "fault"),
    [
        (Party("A", None, country="ID"), None),
        (Party("A", None, country="ID", town="Jakarta", street="Jalan 1"), None),
        (
            Party("A", None, country="ID", street="Jalan 1"),
            "An address needs its town, in letters that the scheme can carry.",
        ),
        (
            Party("A", None, country="JP", town="東京"),
            "An address needs its town, in letters that the scheme can carry.",
        ),
        (Party("A", None, town="Jakarta"), "An address needs its country."),
    ],
)
def test_an_address_is_whole_or_not_there(party: Party, fault: str | None) -> None:
    assert address_fault(party, SEPA) == fault


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Jürgen Weiß", "Jurgen Weiss"),
        ("Łukasz Żółć", "Lukasz Zolc"),
        ("Γιώργος Παπαδόπουλος", "Giorgos Papadopoylos"),
        ("Дмитрий Иванов", "Dmitriy Ivanov"),
        ("Søren & Åse", "Soren + Ase"),
        ("Ann\u202e Smith", "Ann. Smith"),
    ],
)
def test_names_are_transliterated(name: str, expected: str) -> None:
    assert written(name, SEPA.text, SEPA.text.name_length) == expected


def test_a_script_without_an_agreed_spelling_is_not_guessed() -> None:
    with pytest.raises(Unwritable):
        written("王伟", SEPA.text, 70)


async def test_what_cannot_be_sent_is_refused_before_it_is(schemes: RunningSchemes) -> None:
    rail = open_rail("faster_payments", schemes.connection("faster_payments"))
    good = payout(rail.profile)
    half = replace(good, transfer_id=payout(rail.profile).transfer_id, creditor=replace(good.creditor, town=""))
    half = replace(half, creditor=replace(half.creditor, street="Jalan 1"))
    long = replace(
        good,
        transfer_id=payout(rail.profile).transfer_id,
        creditor=replace(good.creditor, account=Account("uk", "9" * 40, "601613")),
    )
    fine, no_town, no_fit = await rail.submit([good, half, long])
    await rail.close()
    assert not isinstance(fine, Refused)
    assert isinstance(no_town, Refused)
    assert isinstance(no_fit, Refused)
    assert (no_town.reason_code, no_fit.reason_code) == ("BE04", "CH16")


NAMED = b"<!-- made from urn:iso:std:iso:20022:tech:xsd:pacs.008.001.02 -->"


@pytest.mark.parametrize(
    "body",
    [
        MESSAGE.replace(b"<Document", NAMED + b"<Document", 1),
        MESSAGE.replace(b"<Document", b'<Document xmlns:h="urn:iso:std:iso:20022:tech:xsd:head.001.001.02"', 1),
        MESSAGE.replace(b"<Document", b'<Document xmlns:i="http://www.w3.org/2001/XMLSchema-instance"', 1),
        b"\xef\xbb\xbf" + MESSAGE.replace(b"\n", b"\r\n").replace(b'"UTF-8"', b"'utf-8'"),
    ],
)
def test_the_root_says_which_message_it_is_and_nothing_before_it_does(body: bytes) -> None:
    assert message_name(body) == NAME
    assert read(body, pacs008.Document, NAME) is not None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (MESSAGE.replace(b"pacs.008.001.08", b"pacs.008.001.10"), "Expected pacs.008.001.08, found pacs.008.001.10."),
        (MESSAGE.replace(b"<Document xmlns", b"<Doc xmlns").replace(b"</Document", b"</Doc"), "is Doc in urn:iso"),
        (b"<x/>", "is x in none"),
        (MESSAGE.replace(b"<Nm>", b"<Nm>\n\xe4", 1), "byte 0xE4 at position"),
        (b"\xff\xfe<\x00", "byte 0xFF at position 1, line 1"),
        (MESSAGE.replace(b"UTF-8", b"ISO-8859-15"), "it declares ISO-8859-15"),
        (MESSAGE.replace(b"</Document>", b"</Documents>"), "look at line "),
        (MESSAGE.replace(b"<Nm>", b"<Nm>\x00", 1), "NUL byte at position"),
    ],
)
def test_what_was_found_is_said_beside_what_was_expected(body: bytes, said: str) -> None:
    with pytest.raises(MessageInvalid) as refused:
        read(body, pacs008.Document, NAME)
    assert said in refused.value.detail


def test_a_hostile_namespace_is_no_fault_of_ours() -> None:
    with pytest.raises(MessageInvalid):
        message_name(MESSAGE.replace(b"urn:iso", b"}rn:iso"))
