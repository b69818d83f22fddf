"""pacs.028, the request for a status report, and our own pacs.002, as they are built. Pure. reports.py reads pacs.002."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import pyiso20022.pacs.pacs_002_001_10 as pacs002
import pyiso20022.pacs.pacs_028_001_03 as pacs028

from cells.rails.iso20022.payments import message_id
from cells.rails.iso20022.xml import write, xml_time
from cells.rails.profile import RailProfile
from cells.rails.rail import transaction_id

_REJECTED = "RJCT"


def build_request(profile: RailProfile, end_to_end_ids: Sequence[str], now: datetime) -> bytes:
    """One pacs.028 asking after these payments."""
    request = pacs028.FitoFipaymentStatusRequestV03(
        grp_hdr=pacs028.GroupHeader91(msg_id=message_id("S", end_to_end_ids), cre_dt_tm=xml_time(now)),
        tx_inf=[
            pacs028.PaymentTransaction113(orgnl_end_to_end_id=one, orgnl_tx_id=transaction_id(one))
            for one in end_to_end_ids
        ],
    )
    return write(pacs028.Document(fito_fipmt_sts_req=request), profile.messages.inquiry)


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
    return write(pacs002.Document(fito_fipmt_sts_rpt=report), profile.messages.status)


def _reasons(code: str | None) -> list[pacs002.StatusReasonInformation12]:
    if code is None:
        return []
    return [pacs002.StatusReasonInformation12(rsn=pacs002.StatusReason6Choice(cd=code))]
