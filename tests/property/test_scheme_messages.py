"""Ten thousand spoilt messages: a parser refuses with MessageInvalid, or reads exactly the money that an independent reader reads.

The independent reader is the standard library's (expat): another parser, and no class or schema of ours.
"""

import random
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple
from xml.etree import ElementTree as ET

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cells.rails.inbound import read_inbound
from cells.rails.iso20022 import payments
from cells.rails.iso20022.accounts import read_statements
from cells.rails.iso20022.uploads import read_upload
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import MessageInvalid
from infra.schemes.messages import Status, report
from infra.schemes.messages_returns import Cancellation, recall_message, refusal_of_recall, return_message
from infra.schemes.statements import notification, statement
from infra.schemes.store import Entry
from tests.support.schemes import payout
from tests.unit.cells.rails.test_uploads import line, upload

EXAMPLES, MUTANTS_EACH = 500, 20
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
RAIL = "faster_payments"
PROFILE = rail_profiles()[RAIL]
Money = list[tuple[int, str]]
ENTRY = Entry(RAIL, "2026-11-20", "CRDT", "credit", "GBP", 12_345, "IN1", "E2E", "2026-11-20T10:00:00Z")


class Kind(NamedTuple):
    """One message that arrives: an example, what our parser reads of its money, and where the money stands."""

    body: bytes
    read: Callable[[bytes], Money]
    element: str


def _inbound(pick: Callable[..., Sequence[object]]) -> Callable[[bytes], Money]:
    return lambda body: [(one.amount_minor, one.currency) for one in pick(read_inbound(RAIL, body))]  # type: ignore[attr-defined]


KINDS = {
    "pacs.008": Kind(
        payments.build(PROFILE, PROFILE.participant_of(1), [payout(PROFILE), payout(PROFILE)], NOW),
        _inbound(lambda came: came.credits),
        "IntrBkSttlmAmt",
    ),
    "pacs.004": Kind(
        return_message("RT1", "tr-1", "tr1", (9_900, 900), "GBP", "AC06"),
        _inbound(lambda came: came.returns),
        "RtrdIntrBkSttlmAmt",
    ),
    "pacs.002": Kind(report([Status("tr-1", "tr1", "ACSC"), Status("tr-2", "tr2", "RJCT", "AC04")]), _inbound(lambda _: ()), ""),
    "camt.056": Kind(recall_message("RC1", "E2E", "IN1", 5, "GBP", "FRAD"), _inbound(lambda _: ()), ""),
    "camt.029": Kind(refusal_of_recall("CX1", [Cancellation("C1", "tr-1", "tr1", "DUPL")], "ARDT"), _inbound(lambda _: ()), ""),
    "camt.054": Kind(notification("uk-1", "NT1", ENTRY), _inbound(lambda came: came.account.movements), "Ntry/Amt"),
    "camt.053": Kind(
        statement("uk-1", "GBP", "2026-11-20", 0, [ENTRY]),
        lambda body: [(m.amount_minor, m.currency) for m in read_statements(PROFILE, body).movements],
        "Ntry/Amt",
    ),
    "pain.001": Kind(
        upload(line("A"), line("B", "7.01")),
        lambda body: [(one.amount_minor, one.currency) for one in read_upload(body).lines],
        "InstdAmt",
    ),
}  # fmt: skip
_ELEMENT = re.compile(rb"<([A-Za-z]+)[^<>]*>[^<>]*</\1>|<([A-Za-z]+)[^<>]*>.*?</\2>", re.DOTALL)
# What is no number is no money: a line of a file that says so is a fault of that line alone.
_NUMBER = re.compile(r"\s*[-+]?[0-9]+(\.[0-9]*)?\s*")
_BOMB = b'<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


def _spoil(body: bytes, chance: random.Random) -> bytes:
    """One change of the kinds that a careless or hostile sender makes."""
    return _spoil_parts(body, chance) if chance.random() < 0.4 else _spoil_words(body, chance)


def _spoil_parts(body: bytes, chance: random.Random) -> bytes:
    found = list(_ELEMENT.finditer(body))
    one = chance.choice(found) if found else None
    at = chance.randrange(len(body))
    match chance.randrange(5):
        case 0:
            return body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
        case 1:
            return body[:at] + body[at + chance.randrange(1, 60) :]
        case 2 if one:
            return body[: one.start()] + body[one.end() :]
        case 3 if one:
            return body[: one.end()] + one[0] + body[one.end() :]
        case 4 if one:
            other = chance.choice(found)
            first, second = sorted((one, other), key=lambda each: each.start())
            if first.end() > second.start():
                return body
            between = body[first.end() : second.start()]
            return body[: first.start()] + second[0] + between + first[0] + body[second.end() :]
        case _:
            return body


def _spoil_words(body: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(body))
    match chance.randrange(6):
        case 5:
            amounts = (
                b"0",
                b"-1.00",
                b"1e3",
                b"NaN",
                b" 12.34 ",
                b"1_000",
                b"0x10",
                b"+5.00",
                b"1.005",
                b"12<!-- -->5.00",
                b"9" * 30,
                b"\xd9\xa1",
            )
            return re.sub(rb">\d+\.\d\d<", b">" + chance.choice(amounts) + b"<", body, count=chance.randrange(1, 3))
        case 1:
            return body.replace(
                b'Ccy="GBP"',
                chance.choice((b'Ccy="EUR"', b'Ccy="gbp"', b"", b'Ccy="GBP" Ccy="EUR"', b'Ccy="GB\xc3\x9f"')),
                chance.randrange(1, 3),
            )
        case 2:
            return body.replace(b"2026", b"9999", 1).replace(b".001.", chance.choice((b".002.", b".001.")), 1)
        case 3:
            return (
                _BOMB + body
                if chance.random() < 0.5
                else body.replace(b"?>", b"?>" + _BOMB, 1).replace(b"tr-1", b"&b;")
            )
        case 4:
            return (
                body.replace(b'xmlns="', b'xmlns:x="', 1)
                if chance.random() < 0.5
                else body.replace(b"<Amt", b"<x:Amt", 1)
            )
        case _:
            return (
                body[:at]
                + chance.choice((b"<!--", b"<?x?>", b"<![CDATA[", b"&amp;", b"&#0;", b"\x00", b"<a><a>", b"]]>"))
                + body[at:]
            )


def _independently(body: bytes, element: str) -> Money:
    """The money in the message, by another reader. In a statement, pending entries are not told apart: nothing here makes one valid."""
    path = "/".join("{*}" + step for step in element.split("/"))
    found = ET.fromstring(body).iterfind(".//" + path)
    amounts = [("".join(one.itertext()), one.get("Ccy", "")) for one in found]
    return [(int(Decimal(text) * 100), currency) for text, currency in amounts if _NUMBER.fullmatch(text)]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(st.integers(0, 2**32), st.sampled_from(sorted(KINDS)))
def test_no_spoilt_message_crashes_a_parser_or_changes_money(seed: int, name: str) -> None:
    kind, chance = KINDS[name], random.Random(seed)
    for _ in range(MUTANTS_EACH):
        spoilt = kind.body
        for _ in range(chance.randrange(1, 4)):
            spoilt = _spoil(spoilt, chance) or b"<"
        try:
            read = kind.read(spoilt)
        except MessageInvalid:
            continue
        if not kind.element:
            continue
        seen = _independently(spoilt, kind.element)
        if name in ("pain.001", "camt.054", "camt.053"):
            # Faulty lines, and entries that are not booked, are left out: what is read stands in the message, as it stands there.
            assert not [one for one in read if one not in seen], (name, spoilt)
        else:
            assert read == seen, (name, spoilt)


def test_the_examples_themselves_are_read() -> None:
    for kind in KINDS.values():
        read = kind.read(kind.body)
        assert not kind.element or read == _independently(kind.body, kind.element)
