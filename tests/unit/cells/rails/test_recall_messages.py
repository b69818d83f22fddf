"""Recalls and their answers: the scheme reads ours, we read the scheme's."""

from datetime import UTC, datetime

import pytest

from cells.rails.inbound import read_inbound
from cells.rails.iso20022 import recalls
from cells.rails.later import RecallKept, RecallOut
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import MessageInvalid
from infra.schemes.messages_returns import (
    Cancellation,
    read_recalls,
    read_resolutions,
    recall_message,
    refusal_of_recall,
)

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
EVERY_RAIL = pytest.mark.parametrize("rail", sorted(rail_profiles()))


@EVERY_RAIL
def test_the_scheme_reads_our_recall(rail: str) -> None:
    profile = rail_profiles()[rail]
    asked = [RecallOut(f"rc-{one}", f"tr-eu1-{one}", 100, profile.currency, "DUPL") for one in (1, 2)]
    body = recalls.build_recall(profile, profile.participant_of(1), asked, NOW)
    assert read_recalls(body) == [Cancellation(f"rc-{one}", f"tr-eu1-{one}", f"treu1{one}", "DUPL") for one in (1, 2)]


@EVERY_RAIL
def test_the_scheme_reads_our_no(rail: str) -> None:
    profile = rail_profiles()[rail]
    body = recalls.build_answer(
        profile,
        profile.participant_of(1),
        [RecallKept("RC1", "IN1", "E2E", "CUST"), RecallKept("RC2", "IN2", "E2", "NOOR")],
        NOW,
    )
    assert read_resolutions(body) == [("IN1", "RJCR", "CUST"), ("IN2", "RJCR", "NOOR")]


@EVERY_RAIL
def test_a_recall_of_a_credit_is_read(rail: str) -> None:
    came = read_inbound(rail, recall_message("RC1", "E2E", "IN1", 12_300, rail_profiles()[rail].currency, "FRAD"))
    [one] = came.recalls
    assert (one.rail, one.recall_id, one.scheme_reference) == (rail, "RC1", "IN1")
    assert (one.end_to_end_id, one.reason_code) == ("E2E", "FRAD")


def test_the_answer_to_our_recall_is_read() -> None:
    body = refusal_of_recall("CX1", [Cancellation("C1", "tr-1", "tr1", "DUPL")], "ARDT")
    [one] = read_inbound("sepa_instant", body).recall_answers
    assert (one.end_to_end_id, one.transaction_id, one.decision, one.reason_code) == ("tr-1", "tr1", "refused", "ARDT")
    [granted] = read_inbound("sepa_instant", body.replace(b"<TxCxlSts>RJCR", b"<TxCxlSts>ACCR")).recall_answers
    assert granted.decision == "granted"
    with pytest.raises(MessageInvalid):
        read_inbound("sepa_instant", body.replace(b"<TxCxlSts>RJCR</TxCxlSts>", b""))
    with pytest.raises(MessageInvalid):
        read_inbound("sepa_instant", body.replace(b"<TxCxlSts>RJCR", b"<TxCxlSts>MAYB"))
