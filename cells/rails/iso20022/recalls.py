"""camt.056, the request to have a payment back, and camt.029, the answer to it: both built and read. Pure."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

import pyiso20022.camt.camt_029_001_09 as camt029
import pyiso20022.camt.camt_056_001_08 as camt056

from cells.rails.iso20022.amounts import decimal_of
from cells.rails.iso20022.parties import agent_in
from cells.rails.iso20022.payments import message_id
from cells.rails.iso20022.totals import held, unique
from cells.rails.iso20022.xml import read, write, xml_time
from cells.rails.later import RecallAnswered, RecallKept, RecallOut, RecallReceived
from cells.rails.profile import RailProfile
from cells.rails.rail import MessageInvalid, transaction_id

_Status: TypeAlias = camt029.CancellationIndividualStatus1Code
_DECISIONS: dict[_Status, Literal["granted", "refused", "pending"]] = {
    _Status.ACCR: "granted",
    _Status.RJCR: "refused",
    _Status.PDCR: "pending",
}
_KEPT = "RJCR"
# ISO 20022: narrative, or no code given.
_NO_REASON = "NARR"


def build_recall(profile: RailProfile, participant: str, recalls: Sequence[RecallOut], now: datetime) -> bytes:
    """One camt.056 with one transaction per recall."""
    case_id = message_id("C", [one.recall_id for one in recalls])
    content = camt056.FitoFipaymentCancellationRequestV08(
        assgnmt=camt056.CaseAssignment5(
            id=case_id,
            assgnr=camt056.Party40Choice(agt=agent_in(camt056, profile.account_form, participant)),
            assgne=camt056.Party40Choice(agt=agent_in(camt056, profile.account_form, "")),
            cre_dt_tm=xml_time(now),
        ),
        undrlyg=[camt056.UnderlyingTransaction23(tx_inf=[_recall(one) for one in recalls])],
    )
    return write(camt056.Document(fito_fipmt_cxl_req=content), profile.messages.recall)


def _recall(one: RecallOut) -> camt056.PaymentTransaction106:
    amount = camt056.ActiveOrHistoricCurrencyAndAmount(
        value=decimal_of(one.amount_minor, one.currency), ccy=one.currency
    )
    reason = camt056.CancellationReason33Choice(cd=one.reason_code)
    return camt056.PaymentTransaction106(
        cxl_id=one.recall_id,
        orgnl_end_to_end_id=one.end_to_end_id,
        orgnl_tx_id=transaction_id(one.end_to_end_id),
        orgnl_intr_bk_sttlm_amt=amount,
        cxl_rsn_inf=[camt056.PaymentCancellationReason5(rsn=reason)],
    )


def read_recalls(profile: RailProfile, body: bytes, now: datetime) -> list[RecallReceived]:
    """The recalls in a camt.056. Raises MessageInvalid; a recall of a whole group is not one that names its payments."""
    found = read(body, camt056.Document, profile.messages.recall).fito_fipmt_cxl_req
    asked = [one for underlying in found.undrlyg for one in underlying.tx_inf]
    if not asked:
        raise MessageInvalid("The recall names no payment.")
    amounts = [one.orgnl_intr_bk_sttlm_amt.value for one in asked if one.orgnl_intr_bk_sttlm_amt is not None]
    stated = found.ctrl_data
    if stated is not None:
        every = amounts if len(amounts) == len(asked) else [Decimal()] * len(asked)
        held(every, stated.nb_of_txs, stated.ctrl_sum if every is amounts else None)
    recalls = [_received(profile, found.assgnmt.id, one, now) for one in asked]
    unique([f"{one.recall_id} {one.scheme_reference} {one.end_to_end_id}" for one in recalls], "recall")
    return recalls


def _received(
    profile: RailProfile, assignment_id: str, found: camt056.PaymentTransaction106, now: datetime
) -> RecallReceived:
    if not (found.orgnl_tx_id or found.orgnl_end_to_end_id):
        raise MessageInvalid("The recall names no payment.")
    reasons = [one.rsn.cd or one.rsn.prtry for one in found.cxl_rsn_inf if one.rsn is not None]
    return RecallReceived(
        rail=profile.name,
        recall_id=found.cxl_id or (found.case.id if found.case is not None else assignment_id),
        scheme_reference=found.orgnl_tx_id or "",
        end_to_end_id=found.orgnl_end_to_end_id or "",
        reason_code=next((one for one in reasons if one), _NO_REASON),
        received_at=now,
    )


def build_answer(profile: RailProfile, participant: str, kept: Sequence[RecallKept], now: datetime) -> bytes:
    """One camt.029 that says no to each recall."""
    case_id = message_id("K", [one.recall_id for one in kept])
    content = camt029.ResolutionOfInvestigationV09(
        assgnmt=camt029.CaseAssignment5(
            id=case_id,
            assgnr=camt029.Party40Choice(agt=agent_in(camt029, profile.account_form, participant)),
            assgne=camt029.Party40Choice(agt=agent_in(camt029, profile.account_form, "")),
            cre_dt_tm=xml_time(now),
        ),
        sts=camt029.InvestigationStatus5Choice(conf=_KEPT),
        cxl_dtls=[camt029.UnderlyingTransaction22(tx_inf_and_sts=[_kept(one) for one in kept])],
    )
    return write(camt029.Document(rsltn_of_invstgtn=content), profile.messages.recall_answer)


def _kept(one: RecallKept) -> camt029.PaymentTransaction102:
    reason = camt029.CancellationStatusReason3Choice(cd=one.reason_code)
    return camt029.PaymentTransaction102(
        cxl_sts_id=one.recall_id,
        orgnl_end_to_end_id=one.original_end_to_end_id,
        orgnl_tx_id=one.original_scheme_reference,
        tx_cxl_sts=_Status.RJCR,
        cxl_sts_rsn_inf=[camt029.CancellationStatusReason4(rsn=reason)],
    )


def read_answers(profile: RailProfile, body: bytes, now: datetime) -> list[RecallAnswered]:
    """What a camt.029 says of each payment that we asked back. Raises MessageInvalid when it decides on none."""
    found = read(body, camt029.Document, profile.messages.recall_answer).rsltn_of_invstgtn
    answers = [
        RecallAnswered(
            rail=profile.name,
            end_to_end_id=one.orgnl_end_to_end_id or "",
            transaction_id=one.orgnl_tx_id or "",
            decision=_DECISIONS[one.tx_cxl_sts],
            reason_code=_reason(one),
            received_at=now,
            uetr=one.orgnl_uetr or "",
        )
        for details in found.cxl_dtls
        for one in details.tx_inf_and_sts
        if one.tx_cxl_sts is not None and (one.orgnl_end_to_end_id or one.orgnl_tx_id or one.orgnl_uetr)
    ]
    if not answers:
        raise MessageInvalid("The answer decides on no payment.")
    decided = {(one.end_to_end_id or one.transaction_id or one.uetr, one.decision) for one in answers}
    unique([payment for payment, _ in decided], "payment, with two decisions on its recall")
    return answers


def _reason(found: camt029.PaymentTransaction102) -> str:
    codes = [one.rsn.cd or one.rsn.prtry for one in found.cxl_sts_rsn_inf if one.rsn is not None]
    return next((one for one in codes if one), _NO_REASON)
