"""camt.053, the statement of an account, and camt.054, the notice of a movement: read as movements. Pure.

Invariants: only what is booked counts (an entry that is pending or for information moves nothing); the movements of one entry add
up to it, each with its own sign; a statement's movements lead exactly from its opening to its closing balance, and are those that its
summary counts. What contradicts itself is set aside whole, and what stands beside it in the file is read.

As banks write them:
- PRCD, the day before's closing balance, stands beside OPBD, or in its place; the two must be one.
- A statement in pages opens or closes with the interim balance (ITBD), or with OPBD and CLBD of the sub-type INTM: each page adds up by
  itself.
- An entry of 0.00 tells something and moves nothing.
- The transactions of a batch state their amounts as Amt, or in AmtDtls alone; without any, the entry is one movement.
- An entry may net its transactions: debits among credits. One that is less, or more, than they are by the charges beside them is one movement
  of the entry's amount.

Source: ISO 20022, camt.053.001.08 and camt.054.001.08, ExternalBalanceType1Code; the balances of pages: ISO 20022 Cash Management, Message
Definition Report, "Bank-to-Customer Statement" (the order of two ITBD not confirmed there: read in the order of the file).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyiso20022.camt.camt_053_001_08 as camt053
import pyiso20022.camt.camt_054_001_08 as camt054

from cells.rails.iso20022.amounts import minor_or_zero_of
from cells.rails.iso20022.dates import day_of
from cells.rails.iso20022.xml import read
from cells.rails.later import AccountReport, AccountStatement, Movement, SetAside
from cells.rails.profile import RailProfile
from cells.rails.rail import MessageInvalid

_BOOKED = "BOOK"
_CREDIT = "CRDT"
_OPENING, _BEFORE, _CLOSING, _INTERIM = "OPBD", "PRCD", "CLBD", "ITBD"


@dataclass(frozen=True, slots=True)
class _Detail:
    """One transaction of an entry; `minor`: signed, None where it states no amount of the account's currency."""

    found: Any
    minor: int | None
    charges: int


def read_statements(profile: RailProfile, body: bytes) -> AccountReport:
    """The statements in a camt.053; what contradicts itself is set aside. Raises MessageInvalid, also when nothing is left."""
    found = read(body, camt053.Document, profile.messages.statement).bk_to_cstmr_stmt.stmt
    statements: list[AccountStatement] = []
    aside: list[SetAside] = []
    for one in found:
        try:
            statement = _statement(profile, one)
            if any(_same(statement, other) for other in statements):
                raise MessageInvalid("The file holds that statement twice.")
            statements.append(statement)
        except MessageInvalid as fault:
            aside.append(SetAside(one.id, str(fault)))
    return _report(statements, [movement for one in statements for movement in one.movements], aside, len(statements))


def read_notification(profile: RailProfile, body: bytes) -> AccountReport:
    """The booked movements that a camt.054 tells of: none while all is pending. Raises MessageInvalid, also when nothing is left."""
    found = read(body, camt054.Document, profile.messages.notification).bk_to_cstmr_dbt_cdt_ntfctn.ntfctn
    movements: list[Movement] = []
    aside: list[SetAside] = []
    for one in found:
        try:
            told = _movements(profile, one.ntry)
            _summary(one)
            movements += told
        except MessageInvalid as fault:
            aside.append(SetAside(one.id, str(fault)))
    return _report([], movements, aside, len(found) - len(aside))


def _report(
    statements: Sequence[AccountStatement], movements: Sequence[Movement], aside: Sequence[SetAside], good: int
) -> AccountReport:
    if aside and not good:
        raise MessageInvalid(aside[0].why)
    return AccountReport(statements, movements, aside)


def _statement(profile: RailProfile, found: camt053.AccountStatement9) -> AccountStatement:
    movements = _movements(profile, found.ntry)
    _summary(found)
    opening, closing = _balances(profile, found)
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
        page=found.stmt_pgntn.pg_nb if found.stmt_pgntn is not None else "",
        last=found.stmt_pgntn is None or found.stmt_pgntn.last_pg_ind,
    )


def _same(one: AccountStatement, other: AccountStatement) -> bool:
    """Whether two statements of a file are one: an id is an account's own, and pages may share it."""
    return (one.statement_id, one.account, one.page) == (other.statement_id, other.account, other.page)


def _balances(profile: RailProfile, found: camt053.AccountStatement9) -> tuple[int, int]:
    """Opening and closing, signed. Balances of other kinds (available, forward, expected) say nothing of what is booked."""
    said: dict[str, list[int]] = {}
    for one in found.bal:
        minor = _signed(profile, one.amt, one.cdt_dbt_ind)
        said.setdefault(one.tp.cd_or_prtry.cd or "", []).append(minor)
    opened, closed = {*said.get(_OPENING, ()), *said.get(_BEFORE, ())}, {*said.get(_CLOSING, ())}
    interim = said.get(_INTERIM, [])
    if not opened and interim:
        opened, interim = {interim[0]}, interim[1:]
    if not closed and interim:
        closed = {interim[-1]}
    if len(opened) != 1 or len(closed) != 1:
        raise MessageInvalid(
            "A statement states one opening and one closing balance, and each of them alike throughout."
        )
    return opened.pop(), closed.pop()


def _summary(found: Any) -> None:
    """The summary (TxsSummry) against the entries: all of them, or those that are booked. Raises MessageInvalid."""
    stated = found.txs_summry
    if stated is None:
        return
    every, booked = list(found.ntry), [one for one in found.ntry if one.sts.cd == _BOOKED]
    if not any(_is_sum_of(stated, among) for among in (every, booked)):
        raise MessageInvalid("The summary of the entries (TxsSummry) is not that of the entries.")


def _is_sum_of(stated: Any, entries: Sequence[Any]) -> bool:
    came = [one for one in entries if one.cdt_dbt_ind.value == _CREDIT]
    went = [one for one in entries if one.cdt_dbt_ind.value != _CREDIT]
    for total, among in ((stated.ttl_ntries, entries), (stated.ttl_cdt_ntries, came), (stated.ttl_dbt_ntries, went)):
        if total is not None and total.nb_of_ntries is not None and int(total.nb_of_ntries) != len(among):
            return False
        if total is not None and total.sum is not None and total.sum != _total(among):
            return False
    net = stated.ttl_ntries.ttl_net_ntry if stated.ttl_ntries is not None else None
    moved = _total(came) - _total(went)
    return net is None or moved == (net.amt if net.cdt_dbt_ind.value == _CREDIT else -net.amt)


def _total(entries: Iterable[Any]) -> Decimal:
    return sum((one.amt.value for one in entries), Decimal())


def _movements(profile: RailProfile, entries: Iterable[Any]) -> list[Movement]:
    """`entries`: the ReportEntry10 of either message; their classes differ by namespace alone."""
    return [movement for one in entries if one.sts.cd == _BOOKED for movement in _of_entry(profile, one)]


def _of_entry(profile: RailProfile, entry: Any) -> list[Movement]:
    """The entry, or each transaction of one that sums up several. Raises MessageInvalid."""
    minor = _signed(profile, entry.amt, entry.cdt_dbt_ind)
    details = [_detail(profile, entry, one) for group in entry.ntry_dtls for one in group.tx_dtls]
    for group in entry.ntry_dtls:
        _batch(profile, entry, group)
    stated = [one.minor for one in details if one.minor is not None]
    if len(stated) == len(details) and details:
        charges = sum(one.charges for one in details) + _charges(profile, entry)
        if sum(stated) == minor:
            return [
                _movement(profile, entry, one.found, amount)
                for one, amount in zip(details, stated, strict=True)
                if amount
            ]
        if sum(stated) + charges != minor:
            raise MessageInvalid("The transactions of an entry do not add up to it.")
    elif stated:
        raise MessageInvalid("Some transactions of an entry state their amounts, and others do not.")
    alone = details[0].found if len(details) == 1 and _counted(entry) in (None, 1) else None
    return [_movement(profile, entry, alone, minor)] if minor else []


def _detail(profile: RailProfile, entry: Any, found: Any) -> _Detail:
    """With its own direction, or the entry's where it names none."""
    amount = _stated(profile, found)
    return _Detail(
        found,
        None if amount is None else _signed(profile, amount, found.cdt_dbt_ind or entry.cdt_dbt_ind),
        _charges(profile, found),
    )


def _stated(profile: RailProfile, found: Any) -> Any | None:
    """What the transaction says that it is, in the account's currency: Amt, else of AmtDtls the transaction's amount, the counter value
    after an exchange, or the amount that was instructed. An amount in another currency is not what moved here.
    """
    details = found.amt_dtls
    among = [found.amt]
    if details is not None:
        parts = (details.tx_amt, details.cntr_val_amt, details.instd_amt)
        among += [one.amt for one in parts if one is not None]
    return next((one for one in among if one is not None and one.ccy == profile.currency), None)


def _batch(profile: RailProfile, entry: Any, group: Any) -> None:
    """The header of a batch against its transactions, where they are listed. Raises MessageInvalid."""
    stated, count = group.btch, len(group.tx_dtls)
    if stated is None or count <= 1:
        return
    if stated.nb_of_txs is not None and int(stated.nb_of_txs) != count:
        raise MessageInvalid("A batch counts another number of transactions (NbOfTxs) than it lists.")
    amounts = [_detail(profile, entry, one).minor for one in group.tx_dtls]
    if stated.ttl_amt is not None and stated.ttl_amt.ccy == profile.currency and None not in amounts:
        total = _signed(profile, stated.ttl_amt, stated.cdt_dbt_ind or entry.cdt_dbt_ind)
        if total != sum(one for one in amounts if one is not None):
            raise MessageInvalid("The total of a batch (TtlAmt) is not the sum of its transactions.")


def _counted(entry: Any) -> int | None:
    """How many transactions the entry's batches say that they hold; None where none says."""
    counts = [int(one.btch.nb_of_txs) for one in entry.ntry_dtls if one.btch is not None and one.btch.nb_of_txs]
    return sum(counts) if counts else None


def _charges(profile: RailProfile, found: Any) -> int:
    """The charges beside an entry or a transaction, signed: a debit where they name no direction."""
    if found.chrgs is None:
        return 0
    records = [one for one in found.chrgs.rcrd if one.amt.ccy == profile.currency and not one.chrg_incl_ind]
    return sum(
        (1 if one.cdt_dbt_ind is not None and one.cdt_dbt_ind.value == _CREDIT else -1)
        * minor_or_zero_of(one.amt.value, one.amt.ccy, profile)
        for one in records
    )


def _signed(profile: RailProfile, amount: Any, direction: Any) -> int:
    minor = minor_or_zero_of(amount.value, amount.ccy, profile)
    return minor if direction.value == _CREDIT else -minor


def _movement(profile: RailProfile, entry: Any, details: Any | None, minor: int) -> Movement:
    """`minor`: signed. `details`: the transaction that it is, None where it is the entry as a whole."""
    refs = None if details is None else details.refs
    named = None if refs is None else refs.clr_sys_ref or refs.tx_id or refs.acct_svcr_ref
    code = entry.bk_tx_cd.domn
    booked = entry.bookg_dt
    day = None if booked is None else day_of(profile, booked.dt if booked.dt is not None else booked.dt_tm)
    return Movement(
        reference=named or entry.acct_svcr_ref or entry.ntry_ref or "",
        end_to_end_id="" if refs is None else refs.end_to_end_id or "",
        amount_minor=abs(minor),
        currency=entry.amt.ccy,
        credit=minor > 0,
        day=day,
        kind="" if code is None else f"{code.cd}/{code.fmly.cd}/{code.fmly.sub_fmly_cd}",
    )
