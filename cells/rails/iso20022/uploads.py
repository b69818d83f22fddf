"""pain.001, a partner's file of payments: read into payout lines, and faults by line. Pure.

Invariants: what spoils the file (its form, a count or a sum that does not hold) refuses all of it; what spoils one line is told of
that line, by its place in the file, and the others stand. No fault quotes what a line says.

A creditor whose account is in another region is not described here, since personal data stays where the account is: his line names him by
the token that his region issued, in InstrForDbtrAgt (what the debtor's agent, which is us, shall act upon), and nothing else of him.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Annotated

import pyiso20022.pain.pain_001_001_09 as pain

from cells.kit.money import AMOUNT_MAX_MINOR, CURRENCIES
from cells.rails.iso20022.xml import plain_time, read, written_day
from cells.rails.rail import Account, MessageInvalid, Party
from residency.classes import Confidential, Personal, Public

MESSAGE = "pain.001.001.09"
LINES_MAX = 10_000
FILE_BYTES_MAX = 16 * 1024 * 1024
_RECIPIENT = "rcp_"
_DIGITS_MAX = 20


@dataclass(frozen=True, slots=True)
class PayoutLine:
    """One payment that the partner asks for. `line` counts from 1 through the whole file; `debtor_account` names the wallet. The payee is
    the `creditor`, or whoever `recipient_token` names."""

    line: Annotated[int, Public]
    end_to_end_id: Annotated[str, Confidential]
    amount_minor: Annotated[int, Confidential]
    currency: Annotated[str, Public]
    debtor_account: Annotated[str, Confidential]
    creditor: Party | None
    recipient_token: Annotated[str, Public] = ""
    remittance: Annotated[str, Personal] = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class LineFault:
    """Why a line cannot be taken: an ISO 20022 reason code and a sentence."""

    line: Annotated[int, Public]
    reason_code: Annotated[str, Public]
    detail: Annotated[str, Public]


@dataclass(frozen=True, slots=True)
class Upload:
    """A partner's file. Each of its lines is in one of the two lists. `execute_on`: the execution dates that it asks for."""

    message_id: Annotated[str, Confidential]
    lines: Annotated[Sequence[PayoutLine], Confidential]
    faults: Annotated[Sequence[LineFault], Public]
    execute_on: Annotated[Sequence[datetime], Public] = ()


class _Faulty(Exception):
    def __init__(self, reason_code: str, detail: str) -> None:
        super().__init__(reason_code)
        self.reason_code = reason_code
        self.detail = detail


def read_upload(body: bytes) -> Upload:
    """Raises MessageInvalid for a file that cannot be taken at all."""
    found = read(body, pain.Document, MESSAGE, FILE_BYTES_MAX).cstmr_cdt_trf_initn
    asked = [(block, one) for block in found.pmt_inf for one in block.cdt_trf_tx_inf]
    _check_file(found, [one for _, one in asked])
    uses = Counter(one.pmt_id.end_to_end_id for _, one in asked)
    lines: list[PayoutLine] = []
    faults: list[LineFault] = []
    for number, (block, one) in enumerate(asked, start=1):
        try:
            if uses[one.pmt_id.end_to_end_id] > 1:
                raise _Faulty("AM05", "Another line of the file has the same end-to-end id.")
            lines.append(_line(number, block, one))
        except _Faulty as fault:
            faults.append(LineFault(number, fault.reason_code, fault.detail))
    dates = sorted({at for block in found.pmt_inf if (at := _execution(block.reqd_exctn_dt)) is not None})
    return Upload(found.grp_hdr.msg_id, lines, faults, dates)


def _execution(given: pain.DateAndDateTime2Choice | None) -> datetime | None:
    """A day begins at midnight UTC."""
    if given is None or (given.dt is None and given.dt_tm is None):
        return None
    if given.dt_tm is not None:
        return plain_time(given.dt_tm, datetime.now(UTC))
    assert given.dt is not None
    return datetime.combine(written_day(given.dt), time.min, UTC)


def _check_file(
    found: pain.CustomerCreditTransferInitiationV09, asked: Sequence[pain.CreditTransferTransaction34]
) -> None:
    if not 0 < len(asked) <= LINES_MAX:
        raise MessageInvalid(f"A file holds 1 to {LINES_MAX} payments.")
    _check_totals(found.grp_hdr.nb_of_txs, found.grp_hdr.ctrl_sum, asked)
    for block in found.pmt_inf:
        _check_totals(block.nb_of_txs, block.ctrl_sum, block.cdt_trf_tx_inf)


def _check_totals(count: str | None, total: Decimal | None, asked: Sequence[pain.CreditTransferTransaction34]) -> None:
    if count is not None and int(count) != len(asked):
        raise MessageInvalid("The file's count of payments is not the number it holds.")
    amounts = [one.amt.instd_amt.value for one in asked if one.amt.instd_amt is not None]
    # ISO 20022: the control sum adds the amounts up whatever their currencies.
    if total is not None and (len(amounts) != len(asked) or sum(amounts) != total):
        raise MessageInvalid("The file's control sum is not the sum of its payments.")


def _line(number: int, block: pain.PaymentInstruction30, found: pain.CreditTransferTransaction34) -> PayoutLine:
    amount_minor, currency = _amount(found.amt.instd_amt)
    token = (found.instr_for_dbtr_agt or "").strip()
    creditor = _named(found, token)
    debtor = _number(block.dbtr_acct)
    if not debtor:
        raise _Faulty("AC02", "The debtor's account has no number.")
    return PayoutLine(
        line=number,
        end_to_end_id=found.pmt_id.end_to_end_id,
        amount_minor=amount_minor,
        currency=currency,
        debtor_account=debtor,
        creditor=creditor,
        recipient_token=token if creditor is None else "",
        remittance=" ".join(found.rmt_inf.ustrd) if found.rmt_inf is not None else "",
    )


def _named(found: pain.CreditTransferTransaction34, token: str) -> Party | None:
    """The creditor as the line describes him; None where a token names him."""
    if token.startswith(_RECIPIENT):
        if found.cdtr is not None or found.cdtr_acct is not None:
            raise _Faulty("BE22", "Name the creditor by the token alone, or by name and account without one.")
        return None
    if found.cdtr is None or not (found.cdtr.nm or "").strip():
        raise _Faulty("BE22", "The creditor has no name.")
    if found.cdtr_acct is None:
        raise _Faulty("AC02", "The creditor has no account.")
    return _creditor(found, found.cdtr, found.cdtr_acct)


def _amount(given: pain.ActiveOrHistoricCurrencyAndAmount | None) -> tuple[int, str]:
    if given is None:
        raise _Faulty("AM09", "Give the amount to pay (InstdAmt); an equivalent amount is not taken.")
    known = CURRENCIES.get(given.ccy)
    if known is None:
        raise _Faulty("AM03", "That currency is not supported.")
    if not given.value.is_finite() or given.value.adjusted() > _DIGITS_MAX:
        raise _Faulty("AM12", "The amount is not a number that a payment can have.")
    minor = given.value.scaleb(known.exponent)
    if minor != minor.to_integral_value() or minor % known.payable_unit_minor:
        raise _Faulty("AM12", "The amount is not payable exactly in its currency.")
    if not 0 < minor <= AMOUNT_MAX_MINOR:
        raise _Faulty("AM12", "The amount is not a number that a payment can have.")
    return int(minor), given.ccy


def _creditor(
    found: pain.CreditTransferTransaction34, named: pain.PartyIdentification135, account: pain.CashAccount38
) -> Party:
    number = _number(account)
    if not number:
        raise _Faulty("AC03", "The creditor's account has no number.")
    agent = None if found.cdtr_agt is None else found.cdtr_agt.fin_instn_id
    bic = "" if agent is None else agent.bicfi or ""
    member = "" if agent is None or agent.clr_sys_mmb_id is None else agent.clr_sys_mmb_id.mmb_id
    other = "" if agent is None or agent.othr is None else agent.othr.id
    if account.id.iban is not None:
        of = Account("iban", number, bic)
    elif member:
        of = Account("uk", number, member)
    elif bic or other:
        of = Account("id", number, bic or other)
    else:
        raise _Faulty("AGNT", "An account that is no IBAN needs the bank that keeps it.")
    address = named.pstl_adr
    return Party(
        named.nm or "",
        of,
        country=(address.ctry or "") if address is not None else "",
        town=(address.twn_nm or "") if address is not None else "",
        street=(address.strt_nm or "") if address is not None else "",
        postcode=(address.pst_cd or "") if address is not None else "",
    )


def _number(account: pain.CashAccount38) -> str:
    if account.id.iban is not None:
        return str(account.id.iban)
    return "" if account.id.othr is None else str(account.id.othr.id)
