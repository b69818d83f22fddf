"""Returns: what is built is read back whole, by us and by the scheme; late answers and unknown messages at the door."""

from datetime import UTC, datetime

import pytest

from cells.rails.inbound import build_answer, read_inbound
from cells.rails.iso20022 import reports, returns
from cells.rails.iso20022.xml import message_name
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import InDoubt, MessageInvalid, Refused, ReturnOut, Settled
from infra.schemes.messages import Status, read_report, report
from infra.schemes.messages_returns import read_returns, recall_message, return_message

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
EVERY_RAIL = pytest.mark.parametrize("rail", sorted(rail_profiles()))


def out(rail: str, return_id: str = "ret-1") -> ReturnOut:
    unit = rail_profiles()[rail].payable_unit_minor
    return ReturnOut(return_id, "IN1", "E2E-1", 700 * unit, rail_profiles()[rail].currency, "AC04")


@EVERY_RAIL
def test_the_scheme_reads_what_we_give_back(rail: str) -> None:
    profile, unit = rail_profiles()[rail], rail_profiles()[rail].payable_unit_minor
    body = returns.build_return(profile, profile.participant_of(1), [out(rail), out(rail, "ret-2")], NOW)
    _, count, [first, second] = read_returns(body)
    assert (count, first.return_id, second.return_id) == ("2", "ret-1", "ret-2")
    assert (first.end_to_end_id, first.tx_id, first.reason) == ("E2E-1", "IN1", "AC04")
    assert (first.amount, first.currency) == (f"{7 * unit}.00", profile.currency)
    assert message_name(body) == profile.messages.returned


@EVERY_RAIL
def test_a_return_of_the_scheme_is_read_and_answered(rail: str) -> None:
    profile, unit = rail_profiles()[rail], rail_profiles()[rail].payable_unit_minor
    body = return_message("RT1", "tr-1", "tr1", (9_900 * unit, 900 * unit), profile.currency, "AC06")
    came = read_inbound(rail, body)
    [one] = came.returns
    assert (came.name, one.rail, one.scheme_reference) == (profile.messages.returned, rail, "RT1")
    assert (one.end_to_end_id, one.transaction_id) == ("tr-1", "tr1")
    assert (one.amount_minor, one.currency, one.reason_code) == (900 * unit, profile.currency, "AC06")
    assert read_report(build_answer(rail, came.returns)) == {"RT1": (profile.accepted_status, "")}
    assert read_report(build_answer(rail, came.returns, {"RT1": "AM02"})) == {"RT1": ("RJCT", "AM02")}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'<RtrdIntrBkSttlmAmt Ccy="EUR">0.09', b'<RtrdIntrBkSttlmAmt Ccy="GBP">0.09'),
        (b'<RtrdIntrBkSttlmAmt Ccy="EUR">0.09', b'<RtrdIntrBkSttlmAmt Ccy="EUR">0.095'),
        (b'<RtrdIntrBkSttlmAmt Ccy="EUR">0.09', b'<RtrdIntrBkSttlmAmt Ccy="EUR">0'),
        (b"<NbOfTxs>1", b"<NbOfTxs>2"),
        (b"<RtrId>RT1</RtrId>", b""),
        (b"<OrgnlEndToEndId>tr-1</OrgnlEndToEndId><OrgnlTxId>tr1</OrgnlTxId>", b""),
    ],
)
def test_a_return_that_cannot_be_booked_is_refused(old: bytes, new: bytes) -> None:
    body = return_message("RT1", "tr-1", "tr1", (99, 9), "EUR", "AC04")
    assert old in body
    with pytest.raises(MessageInvalid):
        read_inbound("sepa_instant", body.replace(old, new))


def test_the_answers_to_what_we_gave_back() -> None:
    profile = rail_profiles()["sepa_instant"]
    body = report(
        [
            Status("E2E-1", "ret-1", "ACCP"),
            Status("E2E-1", "ret-2", "RJCT", "AM02"),
            Status("E2E-1", "ret-3", "RJCT", "AG09"),
            Status("E2E-1", "ret-4", "RJCT", "AM05"),
            Status("E2E-1", "another", "ACCP"),
        ]
    )
    asked = [f"ret-{number}" for number in range(1, 6)]
    found = reports.read_return_answers(profile, body, asked, NOW, "M")
    assert isinstance(found["ret-1"], Settled)
    assert [getattr(found[one], "reason_code", "") for one in ("ret-2", "ret-3")] == ["AM02", "AG09"]
    assert isinstance(found["ret-4"], InDoubt)
    assert set(found) == set(asked[:4])


def test_a_late_answer_is_read_by_payment() -> None:
    late = report([Status("tr-1", "tr1", "ACCP"), Status("tr-2", "tr2", "RJCT", "AC04"), Status("tr-3", "tr3", "ACTC")])
    came = read_inbound("sepa_instant", late)
    assert isinstance(came.report.answers["tr-1"], Settled)
    assert isinstance(came.report.answers["tr-2"], Refused)
    assert isinstance(came.report.answers["tr-3"], InDoubt)


def test_a_message_for_somebody_else_is_refused_by_name() -> None:
    other = recall_message("RC1", "E2E", "IN1", 5, "EUR", "FRAD").replace(b"camt.056.001.08", b"camt.056.001.11")
    with pytest.raises(MessageInvalid, match=r"pacs\.004\.001\.09"):
        read_inbound("sepa_instant", other)
