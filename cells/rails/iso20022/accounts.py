"""camt.053, the statement of an account, and camt.054, the notice of a movement: read as movements. Pure.

Invariants: only what is booked counts (an entry that is pending or for information moves nothing); the movements of one entry add
up to it; a statement's movements lead exactly from its opening to its closing balance, or it is refused whole.
"""

from collections.abc import Iterable
from typing import Any

import pyiso20022.camt.camt_053_001_08 as camt053
import pyiso20022.camt.camt_054_001_08 as camt054

from cells.rails.iso20022.amounts import minor_of, minor_or_zero_of
from cells.rails.iso20022.xml import read, written_day
from cells.rails.later import AccountStatement, Movement
from cells.rails.profile import RailProfile
from cells.rails.rail import MessageInvalid

_BOOKED = "BOOK"
_CREDIT = "CRDT"
_OPENING, _CLOSING = ("OPBD", "PRCD"), ("CLBD",)


def read_statements(profile: RailProfile, body: bytes) -> list[AccountStatement]:
    """The statements in a camt.053. Raises MessageInvalid."""
    found = read(body, camt053.Document, profile.later.statement).bk_to_cstmr_stmt.stmt
    return [_statement(profile, one) for one in found]


def _statement(profile: RailProfile, found: camt053.AccountStatement9) -> AccountStatement:
    movements = _movements(profile, found.ntry)
    opening, closing = _balance(profile, found, _OPENING), _balance(profile, found, _CLOSING)
    if opening + sum(one.signed_minor for one in movements) != closing:
        raise MessageInvalid("The statement's movements do not lead from its opening to its closing balance.")
    return AccountStatement(
        rail=profile.name,
        statement_id=found.id,
        account=found.acct.id.iban or (found.acct.id.othr.id if found.acct.id.othr is not None else ""),
        currency=profile.currency,
        opening_minor=opening,
        closing_minor=closing,
        movements=movements,
    )


def _balance(profile: RailProfile, found: camt053.AccountStatement9, codes: tuple[str, ...]) -> int:
    """Signed. A statement has exactly one balance of each kind here."""
    among = [one for one in found.bal if one.tp.cd_or_prtry.cd in codes]
    if len(among) != 1:
        raise MessageInvalid("A statement states its opening and its closing balance, once each.")
    minor = minor_or_zero_of(among[0].amt.value, among[0].amt.ccy, profile)
    return minor if among[0].cdt_dbt_ind.value == _CREDIT else -minor


def read_notification(profile: RailProfile, body: bytes) -> list[Movement]:
    """The booked movements that a camt.054 tells of. Raises MessageInvalid."""
    found = read(body, camt054.Document, profile.later.notification).bk_to_cstmr_dbt_cdt_ntfctn.ntfctn
    return [movement for one in found for movement in _movements(profile, one.ntry)]


def _movements(profile: RailProfile, entries: Iterable[Any]) -> list[Movement]:
    """`entries`: the ReportEntry10 of either message; their classes differ by namespace alone."""
    return [movement for one in entries if one.sts.cd == _BOOKED for movement in _of_entry(profile, one)]


def _of_entry(profile: RailProfile, entry: Any) -> list[Movement]:
    """The entry, or each transaction of one that sums up several."""
    amount_minor = minor_of(entry.amt.value, entry.amt.ccy, profile)
    details = [one for group in entry.ntry_dtls for one in group.tx_dtls]
    if len(details) <= 1:
        return [_movement(entry, details[0] if details else None, amount_minor)]
    amounts = [minor_of(one.amt.value, one.amt.ccy, profile) for one in details if one.amt is not None]
    if len(amounts) != len(details) or sum(amounts) != amount_minor:
        raise MessageInvalid("The transactions of an entry do not add up to it.")
    return [_movement(entry, one, minor) for one, minor in zip(details, amounts, strict=True)]


def _movement(entry: Any, details: Any | None, amount_minor: int) -> Movement:
    refs = None if details is None else details.refs
    named = None if refs is None else refs.clr_sys_ref or refs.tx_id or refs.acct_svcr_ref
    code = entry.bk_tx_cd.domn
    booked = entry.bookg_dt
    day = None
    if booked is not None:
        day = written_day(booked.dt if booked.dt is not None else booked.dt_tm)
    return Movement(
        reference=named or entry.acct_svcr_ref or entry.ntry_ref or "",
        end_to_end_id="" if refs is None else refs.end_to_end_id or "",
        amount_minor=amount_minor,
        currency=entry.amt.ccy,
        credit=entry.cdt_dbt_ind.value == _CREDIT,
        day=day,
        kind="" if code is None else f"{code.cd}/{code.fmly.cd}/{code.fmly.sub_fmly_cd}",
    )
