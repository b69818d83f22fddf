"""Status reports as schemes and banks write them: what each is about, at which level, and what of it ends a payment."""

from datetime import UTC, datetime

import pytest

from cells.rails.inbound import read_inbound
from cells.rails.iso20022 import reports
from cells.rails.iso20022.reasons import DUPLICATES, says_duplicate
from cells.rails.iso20022.reports import Aside, GroupStatus
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import (
    InDoubt,
    MessageInvalid,
    Outcome,
    Refused,
    Settled,
    end_to_end_id,
    end_to_end_id_of,
    transaction_id,
)
from residency.ids import mint

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
EVERY_RAIL = pytest.mark.parametrize("rail", sorted(rail_profiles()))
SEPA, GBP = rail_profiles()["sepa_instant"], rail_profiles()["faster_payments"]
ASIDE = pytest.mark.parametrize("name", ["pacs.028.001.03", "camt.056.001.08", "pacs.004.001.09", "admi.004.001.02"])


def pacs002(*parts: str) -> bytes:
    """A report of these parts, as another hand would write it: groups first."""
    space = "urn:iso:std:iso:20022:tech:xsd:pacs.002.001.10"
    header = "<GrpHdr><MsgId>1</MsgId><CreDtTm>2026-11-20T09:30:00Z</CreDtTm></GrpHdr>"
    return f'<Document xmlns="{space}"><FIToFIPmtStsRpt>{header}{"".join(parts)}</FIToFIPmtStsRpt></Document>'.encode()


def why(*codes: str, text: str = "", kind: str = "Cd") -> str:
    info = f"<AddtlInf>{text}</AddtlInf>" if text else ""
    return "".join(f"<StsRsnInf><Rsn><{kind}>{one}</{kind}></Rsn>{info}</StsRsnInf>" for one in codes)


def group(status: str = "", reasons: str = "", *, name: str = "pacs.008.001.08", to: str = "M1", count: int = 0) -> str:
    counted = f"<OrgnlNbOfTxs>{count}</OrgnlNbOfTxs>" if count else ""
    said = f"<GrpSts>{status}</GrpSts>" if status else ""
    return (
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>{to}</OrgnlMsgId><OrgnlMsgNmId>{name}</OrgnlMsgNmId>{counted}{said}{reasons}"
        "</OrgnlGrpInfAndSts>"
    )


def line(
    reference: str, status: str = "", reasons: str = "", *, tx_id: str = "", unique: str = "", about: str = ""
) -> str:
    named = f"<OrgnlEndToEndId>{reference}</OrgnlEndToEndId>" if reference else ""
    named += f"<OrgnlTxId>{tx_id}</OrgnlTxId>" if tx_id else ""
    named += f"<OrgnlUETR>{unique}</OrgnlUETR>" if unique else ""
    own = f"<OrgnlGrpInf><OrgnlMsgId>M9</OrgnlMsgId><OrgnlMsgNmId>{about}</OrgnlMsgNmId></OrgnlGrpInf>" if about else ""
    said = f"<TxSts>{status}</TxSts>" if status else ""
    return f"<TxInfAndSts>{own}{named}{said}{reasons}</TxInfAndSts>"


def answers(rail: str, body: bytes, *asked: str, held: tuple[str, ...] | None = None) -> dict[str, Outcome]:
    """What the report says to us, who sent the payments `held` (those `asked`, by default) as the message M1."""
    report = reports.read_report(rail_profiles()[rail], body, NOW)
    return reports.answers_to(report, asked, {"M1": asked if held is None else held})


@EVERY_RAIL
@pytest.mark.parametrize(
    ("status", "reasons", "kind", "cause"),
    [
        ("ACSC", "", Settled, None),
        ("ACCC", "", Settled, None),
        ("RJCT", why("AC01"), Refused, None),
        ("RJCT", why("AC01", "RC01"), Refused, None),
        ("RJCT", why("AC04", text="Konto aufgeloest"), Refused, None),
        ("RJCT", why("AC04", kind="Prtry"), Refused, None),
        ("RJCT", why("ZZ99"), InDoubt, "unclear"),
        ("RJCT", why("B00", kind="Prtry"), InDoubt, "unclear"),
        ("RJCT", "", InDoubt, "unclear"),
        ("RJCT", "<StsRsnInf><AddtlInf>Account closed</AddtlInf></StsRsnInf>", InDoubt, "unclear"),
        ("RJCT", why("NARR", text="ACCOUNT CLOSED"), InDoubt, "unclear"),
        ("RJCT", why("AC01", "ZZ99"), InDoubt, "unclear"),
        ("RJCT", why("AG09"), InDoubt, "not_found"),
        ("RJCT", why("AG09", "AC01"), InDoubt, "unclear"),
        *[("RJCT", why(code), InDoubt, "pending") for code in sorted(DUPLICATES)],
        ("RJCT", why("AC01", "AM05"), InDoubt, "pending"),
        ("RJCT", why("FF01", "DUPL"), InDoubt, "pending"),
        ("RJCT", why("NARR", text="Duplicate transaction reference"), InDoubt, "pending"),
        ("RJCT", why("MS03", text="MESSAGE ALREADY PROCESSED"), InDoubt, "pending"),
        ("RJCT", why("NARR", text="Paiement déjà reçu"), InDoubt, "pending"),
        ("RJCT", why("NARR", text="Transaksi sudah diproses"), InDoubt, "pending"),
        ("PDNG", "", InDoubt, "pending"),
        ("ACSP", "", InDoubt, "pending"),
        ("RCVD", "", InDoubt, "pending"),
        ("CANC", "", InDoubt, "pending"),
        ("WHAT", "", InDoubt, "pending"),
        ("", "", InDoubt, "pending"),
    ],
)
def test_what_each_status_means(rail: str, status: str, reasons: str, kind: type, cause: str | None) -> None:
    reference = end_to_end_id(mint("tr", "eu-1"))
    one = answers(rail, pacs002(line(reference, status, reasons)), reference)[reference]
    assert isinstance(one, kind)
    assert getattr(one, "cause", None) == cause


def test_an_unclear_refusal_says_under_what() -> None:
    body = pacs002(line("a", "RJCT", why("AC01", "ZZ99")), line("b", "RJCT"))
    found = answers("sepa_instant", body, "a", "b")
    assert found == {"a": InDoubt(NOW, "unclear", "ZZ99"), "b": InDoubt(NOW, "unclear", "")}


@EVERY_RAIL
def test_the_reasons_that_end_a_payment_are_a_closed_list(rail: str) -> None:
    profile = rail_profiles()[rail]
    assert not profile.reasons.keys() & (DUPLICATES | {"NARR", profile.not_found_code})
    for code in profile.reasons:
        assert answers(rail, pacs002(line("a", "RJCT", why(code))), "a")["a"] == Refused(
            code, profile.reasons[code], NOW
        )


def test_words_that_only_sound_alike_are_no_duplicate() -> None:
    assert not says_duplicate(["FF01"], ["Double quotes are not allowed", "Ready"])


@ASIDE
@pytest.mark.parametrize("status", ["RJCT", "ACCP", "ACSC"])
def test_a_word_on_another_message_of_ours_ends_no_payment(name: str, status: str) -> None:
    reasons = why("FF01") if status == "RJCT" else ""
    for body in (
        pacs002(group(status, reasons, name=name)),
        pacs002(group(name=name), line("a", status, reasons)),
        pacs002(line("a", status, reasons, about=name)),
        pacs002(group("ACSC"), line("a", status, reasons, about=name)),
    ):
        report = reports.read_report(SEPA, body, NOW)
        assert "a" not in report.answers
        [aside] = report.asides
        assert aside.code == ("FF01" if status == "RJCT" else None)


def test_what_else_it_is_about_is_said_by_name() -> None:
    body = pacs002(group("RJCT", why("FF01"), name="PACS.028.001.03", to="S1"), line("a", "RJCT", about="camt.056"))
    assert reports.read_report(SEPA, body, NOW).asides == [
        Aside("recall", "M9", ("a",), ""),
        Aside("inquiry", "S1", (), "FF01"),
    ]


def test_an_inquiry_after_what_the_scheme_does_not_know_is_an_answer() -> None:
    body = pacs002(group(name="pacs.028.001.03"), line("a", "RJCT", why("AG09")), line("b", "RJCT", why("AC04")))
    assert answers("sepa_instant", body, "a", "b") == {"a": InDoubt(NOW, "not_found")}


def test_lines_that_may_belong_to_either_of_two_messages_say_nothing() -> None:
    body = pacs002(group(name="camt.056.001.08"), group("ACCP"), line("a", "RJCT", why("AC04")))
    assert answers("sepa_instant", body, "a", held=()) == {}


@pytest.mark.parametrize(("rail", "status"), [("sepa_instant", "ACCP"), ("chaps", "ACSC"), ("bi_fast", "ACCC")])
def test_a_status_of_the_whole_message_is_that_of_its_payments(rail: str, status: str) -> None:
    alone = answers(rail, pacs002(group(status)), "a")
    named = answers(rail, pacs002(group(status), line("a")), "a")
    elsewhere = answers(rail, pacs002(group(status, to="another"), line("a")), "a")
    assert [type(one["a"]) for one in (alone, named, elsewhere)] == [Settled] * 3
    assert answers(rail, pacs002(group(status, to="another")), "a") == {}


@pytest.mark.parametrize("status", ["PART", "ACTC", "RCVD", "PDNG", "ACSP"])
def test_a_message_that_is_not_done_leaves_its_payments_pending(status: str) -> None:
    body = pacs002(group(status), line("b", "ACSC"), line("c", "RJCT", why("AC04")))
    found = answers("sepa_credit_transfer", body, "a", "b", "c")
    assert [type(found[one]) for one in "abc"] == [InDoubt, Settled, Refused]


def test_single_transactions_are_exceptions_to_their_message() -> None:
    body = pacs002(group("ACSC"), line("b", "RJCT", why("AC04")), line("c", "PDNG"))
    found = answers("chaps", body, "a", "b", "c")
    assert [type(found[one]) for one in "abc"] == [Settled, Refused, InDoubt]
    refused = pacs002(group("RJCT", why("FF01")), line("b", "RJCT", why("AC04")), line("c", "PDNG"), line("d", "ACSC"))
    found = answers("chaps", refused, "a", "b", "c", "d")
    assert [getattr(found[one], "reason_code", "") for one in "ab"] == ["FF01", "AC04"]
    assert found["c"] == InDoubt(NOW, "pending")
    assert found["d"] == InDoubt(NOW, "contradiction")


def test_a_message_refused_as_a_duplicate_or_miscounted_ends_nothing() -> None:
    found = answers("chaps", pacs002(group("RJCT", why("DU01"))), "a", "b")
    assert found == dict.fromkeys("ab", InDoubt(NOW, "pending", "DU01"))
    for status in ("ACSC", "RJCT"):
        body = pacs002(group(status, why("FF01") if status == "RJCT" else "", count=3))
        assert answers("chaps", body, "a", "b") == dict.fromkeys("ab", InDoubt(NOW, "unclear"))
        assert answers("chaps", body, "a", held=("a", "b", "c"))["a"].final


@pytest.mark.parametrize(
    "lines",
    [
        [line("a", "ACSC"), line("a", "RJCT", why("AC01"))],
        [line("a", "RJCT", why("AC01")), line("a", "ACSC")],
        [line("a", "ACSC"), line("a", "RJCT", why("AC01")), line("a", "ACSC")],
        [line("a", "RJCT", why("AC01")), line("a", "ACSC"), line("a", "RJCT", why("AC01"))],
        [line("a", "ACSC"), line("a", "RJCT", why("DU03"))],
        [line("a", "ACSC"), line("a", "RJCT")],
    ],
)
def test_settled_and_refused_in_one_report_is_a_contradiction(lines: list[str]) -> None:
    assert answers("chaps", pacs002(*lines), "a") == {"a": InDoubt(NOW, "contradiction")}


def test_two_words_that_can_both_be() -> None:
    body = pacs002(
        line("b", "PDNG"), line("b", "ACSC"), line("c", "ACSC"), line("d", "RJCT", why("AC04")), line("d", "PDNG")
    )
    found = answers("chaps", body, "b", "d")
    assert [type(one) for one in found.values()] == [Settled, Refused]
    twice = pacs002(line("a", "RJCT", why("AC04")), line("a", "RJCT", why("AM05")))
    assert answers("chaps", twice, "a") == {"a": InDoubt(NOW, "pending", "AM05")}


def test_a_payment_is_named_by_either_id_and_never_by_two_that_differ() -> None:
    reference = end_to_end_id(mint("tr", "eu-1"))
    tx_id = transaction_id(reference)
    assert end_to_end_id_of(tx_id) == reference
    assert end_to_end_id_of("treu1") == end_to_end_id_of("") == end_to_end_id_of("R" + tx_id) == ""
    for body in (
        line("", "ACSC", tx_id=tx_id),
        line("NOTPROVIDED", "ACSC", tx_id=tx_id),
        line(reference, "ACSC", tx_id=tx_id),
        line(reference, "ACSC", tx_id="NOTPROVIDED"),
        line(reference, "ACSC", tx_id=reference),
        line("", "ACSC", tx_id=reference),
    ):
        assert isinstance(answers("chaps", pacs002(body), reference)[reference], Settled)
    # A return of ours, of a credit that came of a payment of ours: the transaction is the return.
    assert answers("chaps", pacs002(line(reference, "RJCT", why("AC04"), tx_id="ret-1")), reference) == {}


def test_a_report_about_nothing_is_refused() -> None:
    for body in (pacs002(), pacs002(group())):
        with pytest.raises(MessageInvalid):
            read_inbound("sepa_instant", body)


def test_returns_are_answered_at_both_levels_too() -> None:
    about = {"name": "pacs.004.001.09"}
    body = pacs002(group("ACSC", **about), line("E2E", "RJCT", why("AC04"), tx_id="ret-2"))
    asked = ["ret-1", "ret-2"]
    found = reports.read_return_answers(GBP, body, asked, NOW, "M1")
    assert [type(found[one]) for one in asked] == [Settled, Refused]
    for other in (
        pacs002(group("RJCT", why("FF01"), **about, to="another")),
        pacs002(group("RJCT", why("FF01"))),
        pacs002(line("E2E", "ACSC", tx_id="ret-1", about="pacs.008.001.08")),
    ):
        assert reports.read_return_answers(GBP, other, asked, NOW, "M1") == {}
    doubtful = pacs002(line("E2E", "RJCT", why("ARDT"), tx_id="ret-1"))
    assert reports.read_return_answers(GBP, doubtful, asked, NOW, "M1") == {"ret-1": InDoubt(NOW, "unclear", "ARDT")}


def test_midnight_at_the_end_of_a_day_is_the_next_days() -> None:
    body = pacs002(line("a", "ACSC").replace("</TxSts>", "</TxSts><AccptncDtTm>2026-11-30T24:00:00Z</AccptncDtTm>"))
    settled = reports.read_report(SEPA, body, NOW).answers["a"]
    assert settled == Settled("", datetime(2026, 12, 1, tzinfo=UTC))
    there = reports.read_report(rail_profiles()["bi_fast"], body.replace(b"24:00:00Z", b"24:00:00"), NOW).answers["a"]
    assert there == Settled("", datetime(2026, 11, 30, 17, tzinfo=UTC)), "a time without a zone is the scheme's"
    with pytest.raises(MessageInvalid, match="years"):
        reports.read_report(SEPA, body.replace(b"2026-11-30T24:00:00Z", b"9999-12-31T23:59:59-14:00"), NOW)


def test_a_message_whose_payments_are_not_named_is_answered_by_its_id() -> None:
    report = read_inbound("sepa_instant", pacs002(group("ACCP", to="P-1", count=1))).report
    assert report.answers == {}
    [(message_id, status)] = report.groups.items()
    assert (message_id, status.stated) == ("P-1", 1)
    assert isinstance(status.of(["a"]), Settled)
    assert isinstance(GroupStatus(status.outcome, None).of(["a", "b"]), Settled)
