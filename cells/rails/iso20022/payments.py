"""pacs.008, the credit transfer: built from payouts, and read as collections. Pure."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import pyiso20022.pacs.pacs_008_001_08 as pacs
from xsdata.models.datatype import XmlDate

from cells.rails.iso20022.amounts import decimal_of, minor_of
from cells.rails.iso20022.dates import date_to_settle, settlement_of
from cells.rails.iso20022.parties import account, agent, party, read_account, read_party
from cells.rails.iso20022.text import written_or_empty
from cells.rails.iso20022.totals import held, unique
from cells.rails.iso20022.xml import read, write, xml_time
from cells.rails.profile import RailProfile
from cells.rails.rail import Collection, MessageInvalid, Payout, transaction_id, uetr
from cells.rails.remittance import Remittance

_MESSAGE_ID_LENGTH = 35


def message_id(kind: str, end_to_end_ids: Sequence[str]) -> str:
    """The same payments make the same message id, so that a message sent again is recognised too."""
    digest = hashlib.sha256("|".join(end_to_end_ids).encode()).hexdigest()
    return f"{kind}-{digest}"[:_MESSAGE_ID_LENGTH]


def build(profile: RailProfile, participant: str, payouts: Sequence[Payout], now: datetime) -> bytes:
    """One pacs.008 with one transaction per payout.
    Raises Unwritable for a name with a letter that cannot be written, CalendarUnknown.
    """
    own_agent = agent(profile.account_form, participant)
    header = pacs.GroupHeader93(
        msg_id=message_id("P", [one.end_to_end_id for one in payouts]),
        cre_dt_tm=xml_time(now),
        nb_of_txs=str(len(payouts)),
        sttlm_inf=pacs.SettlementInstruction7(sttlm_mtd=pacs.SettlementMethod1Code.CLRG),
        instg_agt=own_agent,
    )
    day = date_to_settle(profile, now)
    transfer = pacs.FitoFicustomerCreditTransferV08(
        grp_hdr=header, cdt_trf_tx_inf=[_transaction(profile, own_agent, one, now, day) for one in payouts]
    )
    return write(pacs.Document(fito_ficstmr_cdt_trf=transfer), profile.messages.payment)


def _transaction(
    profile: RailProfile,
    own_agent: pacs.BranchAndFinancialInstitutionIdentification6,
    payout: Payout,
    now: datetime,
    day: XmlDate,
) -> pacs.CreditTransferTransaction39:
    creditor_account = payout.creditor.account
    assert creditor_account is not None, "a payout names the account it pays"
    reference = payout.end_to_end_id
    return pacs.CreditTransferTransaction39(
        pmt_id=pacs.PaymentIdentification7(
            end_to_end_id=reference,
            tx_id=transaction_id(reference),
            uetr=uetr(reference) if profile.carries_uetr else None,
        ),
        pmt_tp_inf=_payment_type(profile, payout.remittance),
        intr_bk_sttlm_amt=pacs.ActiveCurrencyAndAmount(
            value=decimal_of(payout.amount_minor, payout.currency), ccy=payout.currency
        ),
        intr_bk_sttlm_dt=day,
        accptnc_dt_tm=xml_time(now),
        chrg_br=pacs.ChargeBearerType1Code.SLEV,
        dbtr=party(payout.debtor, profile),
        dbtr_acct=None if payout.debtor.account is None else account(payout.debtor.account),
        dbtr_agt=own_agent,
        cdtr_agt=agent(creditor_account.form, creditor_account.bank),
        cdtr=party(payout.creditor, profile),
        cdtr_acct=account(creditor_account),
        purp=pacs.Purpose2Choice(cd=payout.remittance.purpose) if payout.remittance.purpose else None,
        rmt_inf=_remittance(profile, payout.remittance),
    )


def _payment_type(profile: RailProfile, remittance: Remittance) -> pacs.PaymentTypeInformation28 | None:
    wanted, purpose = profile.payment_type, remittance.category_purpose
    if wanted.service_level is None and wanted.local_instrument is None and not purpose:
        return None
    return pacs.PaymentTypeInformation28(
        svc_lvl=[] if wanted.service_level is None else [pacs.ServiceLevel8Choice(cd=wanted.service_level)],
        lcl_instrm=None if wanted.local_instrument is None else pacs.LocalInstrument2Choice(cd=wanted.local_instrument),
        ctgy_purp=pacs.CategoryPurpose1Choice(cd=purpose) if purpose else None,
    )


def _remittance(profile: RailProfile, remittance: Remittance) -> pacs.RemittanceInformation16 | None:
    """A text, or a creditor reference of type SCOR."""
    if remittance.reference:
        kind = pacs.CreditorReferenceType2(
            cd_or_prtry=pacs.CreditorReferenceType1Choice(cd=pacs.DocumentType3Code.SCOR),
            issr=remittance.issuer or None,
        )
        reference = pacs.CreditorReferenceInformation2(tp=kind, ref=remittance.reference)
        return pacs.RemittanceInformation16(strd=[pacs.StructuredRemittanceInformation16(cdtr_ref_inf=reference)])
    text = written_or_empty(remittance.text, profile.text, profile.text.remittance_length)
    return pacs.RemittanceInformation16(ustrd=[text]) if text else None


def parse(profile: RailProfile, body: bytes, now: datetime) -> list[Collection]:
    """The credits in an inbound pacs.008. Raises MessageInvalid:
    an amount that is not exactly payable refuses the whole.
    """
    document = read(body, pacs.Document, profile.messages.payment)
    transfer = document.fito_ficstmr_cdt_trf
    found = transfer.cdt_trf_tx_inf
    if not found:
        raise MessageInvalid("The message holds no transaction.")
    header = transfer.grp_hdr
    total = header.ttl_intr_bk_sttlm_amt
    amounts = [one.intr_bk_sttlm_amt.value for one in found]
    held(amounts, header.nb_of_txs, header.ctrl_sum, None if total is None else total.value)
    if total is not None and total.ccy != profile.currency:
        raise MessageInvalid(f"{profile.title} moves {profile.currency} only.")
    collections = [_collection(profile, one, header.intr_bk_sttlm_dt, now) for one in found]
    unique([one.scheme_reference for one in collections], "reference")
    return collections


def _collection(
    profile: RailProfile, found: pacs.CreditTransferTransaction39, in_header: XmlDate | None, now: datetime
) -> Collection:
    reference = found.pmt_id.clr_sys_ref or found.pmt_id.tx_id
    creditor_account = read_account(found.cdtr_acct, found.cdtr_agt, profile)
    if not reference or creditor_account is None:
        raise MessageInvalid("A transaction needs a reference and a creditor account.")
    currency = found.intr_bk_sttlm_amt.ccy
    amount_minor = minor_of(found.intr_bk_sttlm_amt.value, currency, profile)
    remittance = "" if found.rmt_inf is None else " ".join([*found.rmt_inf.ustrd, *_references(found.rmt_inf)])
    return Collection(
        rail=profile.name,
        scheme_reference=reference,
        end_to_end_id=found.pmt_id.end_to_end_id,
        amount_minor=amount_minor,
        currency=currency,
        debtor=read_party(found.dbtr, read_account(found.dbtr_acct, found.dbtr_agt, profile)),
        creditor_account=creditor_account,
        remittance=remittance,
        received_at=now,
        settlement=settlement_of(profile, in_header, found.intr_bk_sttlm_dt, now),
    )


def _references(found: pacs.RemittanceInformation16) -> list[str]:
    """The creditor references: what the wallet's holder is shown of a structured remittance."""
    return [one.cdtr_ref_inf.ref for one in found.strd if one.cdtr_ref_inf is not None and one.cdtr_ref_inf.ref]
