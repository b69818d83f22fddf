"""pacs.002, the status report, and pacs.028, the request for one. Pure.

Reading rules: only a status that the profile lists as settled is Settled; only RJCT with a final code is
Refused; everything else, and a report that contradicts itself, is InDoubt. A payment that the report does not
mention has no answer.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import pyiso20022.pacs.pacs_002_001_10 as pacs002
import pyiso20022.pacs.pacs_028_001_03 as pacs028

from cells.rails.iso20022.payments import message_id
from cells.rails.iso20022.xml import plain_time, read, write, xml_time
from cells.rails.profile import RailProfile
from cells.rails.rail import InDoubt, MessageInvalid, Outcome, Refused, Settled, transaction_id

_REJECTED = "RJCT"
_NO_REASON = "MS03"


def read_answers(
    profile: RailProfile, body: bytes, asked: Sequence[str], now: datetime, *, to_message: str | None = None
) -> dict[str, Outcome]:
    """End-to-end id → outcome, for those of `asked` that the report mentions. Raises MessageInvalid.

    `to_message`: the id of our message; a report that rejects that whole message answers for every payment in
    it.
    """
    report = _report(profile, body)
    found = [(one.orgnl_end_to_end_id or "", _outcome(profile, one, now)) for one in report.tx_inf_and_sts]
    return _joined(profile, report, found, asked, to_message, now)


def read_return_answers(
    profile: RailProfile, body: bytes, asked: Sequence[str], now: datetime, *, to_message: str
) -> dict[str, Outcome]:
    """Return id → outcome, for what we gave back: the report names each return by its own id. Raises MessageInvalid.

    "Unknown" is final here: the scheme has the return before it, and not the credit.
    """
    report = _report(profile, body)
    found = [(one.orgnl_tx_id or "", _final_when_unknown(profile, one, now)) for one in report.tx_inf_and_sts]
    return _joined(profile, report, found, asked, to_message, now)


def read_late_answers(profile: RailProfile, body: bytes, now: datetime) -> dict[str, Outcome]:
    """End-to-end id → outcome, of a report that comes by itself. Raises MessageInvalid.

    It answers no message of ours in particular, so a rejection of a whole message says nothing that can be used.
    """
    report = _report(profile, body)
    answers: dict[str, Outcome] = {}
    for one in report.tx_inf_and_sts:
        if one.orgnl_end_to_end_id:
            reference = one.orgnl_end_to_end_id
            answers[reference] = _agreed(answers.get(reference), _outcome(profile, one, now), now)
    if not answers:
        raise MessageInvalid("The report names no payment.")
    return answers


def _report(profile: RailProfile, body: bytes) -> pacs002.FitoFipaymentStatusReportV10:
    return read(body, pacs002.Document, profile.status_message).fito_fipmt_sts_rpt


def _joined(
    profile: RailProfile,
    report: pacs002.FitoFipaymentStatusReportV10,
    found: Sequence[tuple[str, Outcome]],
    asked: Sequence[str],
    to_message: str | None,
    now: datetime,
) -> dict[str, Outcome]:
    wanted = set(asked)
    answers: dict[str, Outcome] = {}
    for reference, outcome in found:
        if reference in wanted:
            answers[reference] = _agreed(answers.get(reference), outcome, now)
    for group in report.orgnl_grp_inf_and_sts:
        if to_message is not None and group.orgnl_msg_id == to_message and group.grp_sts == _REJECTED:
            refusal = _refusal(profile, _code(group.sts_rsn_inf), now)
            answers = {reference: _agreed(answers.get(reference), refusal, now) for reference in asked}
    return answers


def _outcome(profile: RailProfile, found: pacs002.PaymentTransaction110, now: datetime) -> Outcome:
    at = plain_time(found.accptnc_dt_tm, now)
    if found.tx_sts in profile.settled_statuses:
        return Settled(found.clr_sys_ref or found.acct_svcr_ref or found.orgnl_tx_id or "", at)
    if found.tx_sts == _REJECTED:
        return _refusal(profile, _code(found.sts_rsn_inf), at)
    return InDoubt(now, "pending")


def _final_when_unknown(profile: RailProfile, found: pacs002.PaymentTransaction110, now: datetime) -> Outcome:
    outcome = _outcome(profile, found, now)
    if isinstance(outcome, InDoubt) and outcome.cause == "not_found":
        return Refused(profile.not_found_code, profile.reasons[profile.not_found_code], outcome.since)
    return outcome


def _refusal(profile: RailProfile, code: str, at: datetime) -> Outcome:
    if code == profile.not_found_code:
        return InDoubt(at, "not_found")
    if code in profile.open_reasons:
        return InDoubt(at, "pending")
    return Refused(code, profile.reasons.get(code, "The scheme refused the payment."), at)


def _code(reasons: Sequence[pacs002.StatusReasonInformation12]) -> str:
    for one in reasons:
        if one.rsn is not None and (one.rsn.cd or one.rsn.prtry):
            return str(one.rsn.cd or one.rsn.prtry)
    return _NO_REASON


def _agreed(first: Outcome | None, second: Outcome, now: datetime) -> Outcome:
    """What two answers for one payment say together: a final one wins, and two final ones must agree."""
    if first is None or (second.final and not first.final):
        return second
    if not second.final or type(first) is type(second):
        return first
    return InDoubt(now, "contradiction")


def build_request(profile: RailProfile, end_to_end_ids: Sequence[str], now: datetime) -> bytes:
    """One pacs.028 asking after these payments."""
    request = pacs028.FitoFipaymentStatusRequestV03(
        grp_hdr=pacs028.GroupHeader91(msg_id=message_id("S", end_to_end_ids), cre_dt_tm=xml_time(now)),
        tx_inf=[
            pacs028.PaymentTransaction113(orgnl_end_to_end_id=one, orgnl_tx_id=transaction_id(one))
            for one in end_to_end_ids
        ],
    )
    return write(pacs028.Document(fito_fipmt_sts_req=request), profile.inquiry_message)


class Answerable(Protocol):
    """What a scheme sent and expects an answer to: a credit, or a return."""

    @property
    def end_to_end_id(self) -> str: ...
    @property
    def scheme_reference(self) -> str: ...
    @property
    def received_at(self) -> datetime: ...


def build_answer(profile: RailProfile, came: Sequence[Answerable], refusals: Mapping[str, str], now: datetime) -> bytes:
    """Our pacs.002 to an inbound pacs.008 or pacs.004: accepted, unless `refusals` holds a code for the scheme
    reference.
    """
    references = [one.scheme_reference for one in came]
    statuses = [
        pacs002.PaymentTransaction110(
            orgnl_end_to_end_id=one.end_to_end_id or None,
            orgnl_tx_id=one.scheme_reference,
            tx_sts=_REJECTED if one.scheme_reference in refusals else profile.accepted_status,
            sts_rsn_inf=_reasons(refusals.get(one.scheme_reference)),
            accptnc_dt_tm=xml_time(one.received_at),
        )
        for one in came
    ]
    report = pacs002.FitoFipaymentStatusReportV10(
        grp_hdr=pacs002.GroupHeader91(msg_id=message_id("A", references), cre_dt_tm=xml_time(now)),
        tx_inf_and_sts=statuses,
    )
    return write(pacs002.Document(fito_fipmt_sts_rpt=report), profile.status_message)


def _reasons(code: str | None) -> list[pacs002.StatusReasonInformation12]:
    if code is None:
        return []
    return [pacs002.StatusReasonInformation12(rsn=pacs002.StatusReason6Choice(cd=code))]
