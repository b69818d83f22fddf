"""pacs.004, the return of a payment that was settled: read as what came back, and built from what we give back. Pure."""

from collections.abc import Sequence
from datetime import datetime

import pyiso20022.pacs.pacs_004_001_09 as pacs
from xsdata.models.datatype import XmlDate

from cells.rails.iso20022.amounts import decimal_of, minor_of
from cells.rails.iso20022.dates import date_to_settle, settlement_of
from cells.rails.iso20022.parties import agent_in
from cells.rails.iso20022.payments import message_id
from cells.rails.iso20022.totals import held, unique
from cells.rails.iso20022.xml import read, write, xml_time
from cells.rails.profile import RailProfile
from cells.rails.rail import MessageInvalid, ReturnOut, ReturnReceived

# ISO 20022 ExternalReturnReason1Code: no reason was given.
_NO_REASON = "MS03"


def read_returns(profile: RailProfile, body: bytes, now: datetime) -> list[ReturnReceived]:
    """The returns in the scheme's pacs.004. Raises MessageInvalid: one that cannot be booked exactly refuses the whole."""
    found = read(body, pacs.Document, profile.messages.returned).pmt_rtr
    header = found.grp_hdr
    if header.grp_rtr and not found.tx_inf:
        raise MessageInvalid("The return of a whole message (GrpRtr) names none of its payments; return each of them.")
    if not found.tx_inf:
        raise MessageInvalid("The message holds no transaction.")
    total = header.ttl_rtrd_intr_bk_sttlm_amt
    amounts = [one.rtrd_intr_bk_sttlm_amt.value for one in found.tx_inf]
    held(amounts, header.nb_of_txs, header.ctrl_sum, None if total is None else total.value)
    if total is not None and total.ccy != profile.currency:
        raise MessageInvalid(f"{profile.title} moves {profile.currency} only.")
    returns = [_received(profile, one, header.intr_bk_sttlm_dt, now) for one in found.tx_inf]
    unique([one.scheme_reference for one in returns], "reference")
    return returns


def _received(
    profile: RailProfile, found: pacs.PaymentTransaction112, in_header: XmlDate | None, now: datetime
) -> ReturnReceived:
    if not found.rtr_id or not (found.orgnl_end_to_end_id or found.orgnl_tx_id or found.orgnl_uetr):
        raise MessageInvalid("A return needs an id, and the id of what it returns.")
    amount = found.rtrd_intr_bk_sttlm_amt
    return ReturnReceived(
        rail=profile.name,
        scheme_reference=found.rtr_id,
        end_to_end_id=found.orgnl_end_to_end_id or "",
        transaction_id=found.orgnl_tx_id or "",
        amount_minor=minor_of(amount.value, amount.ccy, profile),
        currency=amount.ccy,
        reason_code=_reason(found.rtr_rsn_inf),
        received_at=now,
        settlement=settlement_of(profile, in_header, found.intr_bk_sttlm_dt, now),
        uetr=found.orgnl_uetr or "",
    )


def _reason(given: Sequence[pacs.PaymentReturnReason6]) -> str:
    """The code; a scheme's own word where there is none."""
    for one in given:
        if one.rsn is not None and (one.rsn.cd or one.rsn.prtry):
            return str(one.rsn.cd or one.rsn.prtry)
    return _NO_REASON


def build_return(profile: RailProfile, participant: str, returns: Sequence[ReturnOut], now: datetime) -> bytes:
    """One pacs.004 with one transaction per return. Raises CalendarUnknown."""
    header = pacs.GroupHeader90(
        msg_id=message_id("R", [one.return_id for one in returns]),
        cre_dt_tm=xml_time(now),
        nb_of_txs=str(len(returns)),
        sttlm_inf=pacs.SettlementInstruction7(sttlm_mtd=pacs.SettlementMethod1Code.CLRG),
        instg_agt=agent_in(pacs, profile.account_form, participant),
    )
    day = date_to_settle(profile, now)
    content = pacs.PaymentReturnV09(grp_hdr=header, tx_inf=[_transaction(one, day) for one in returns])
    return write(pacs.Document(pmt_rtr=content), profile.messages.returned)


def _transaction(one: ReturnOut, day: XmlDate) -> pacs.PaymentTransaction112:
    amount = pacs.ActiveCurrencyAndAmount(value=decimal_of(one.amount_minor, one.currency), ccy=one.currency)
    return pacs.PaymentTransaction112(
        rtr_id=one.return_id,
        orgnl_end_to_end_id=one.original_end_to_end_id,
        orgnl_tx_id=one.original_scheme_reference,
        rtrd_intr_bk_sttlm_amt=amount,
        intr_bk_sttlm_dt=day,
        rtr_rsn_inf=[pacs.PaymentReturnReason6(rsn=pacs.ReturnReason5Choice(cd=one.reason_code))],
    )
