"""The scheme's account statements, with lxml and by hand: camt.053 of a day with every entry, or of a longer time in pages, and camt.054 of
one credit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from lxml import etree

from infra.schemes.messages import add, as_bytes, document, header, now_text, written_amount
from infra.schemes.rules import zone_of_currency
from infra.schemes.store import Entry

STATEMENT = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
NOTIFICATION = "urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"
# ISO 20022 external bank transaction codes: (family, sub-family) below the domain PMNT, by what moved.
_CODES = {
    "payment": ("ICDT", "ESCT"),
    "credit": ("RCDT", "ESCT"),
    "return": ("ICDT", "RRTN"),
    "give_back": ("RCDT", "RRTN"),
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a statement that begins with `first_day`: numbered from 1."""

    first_day: str
    number: int
    last: bool


def statement(
    account: str, currency: str, day: str, opening_minor: int, entries: Sequence[Entry], page: Page | None = None
) -> bytes:
    """The camt.053 of one day: what was there before it, every movement, what is there after it. Minor units. Of a page likewise, with
    interim balances (ITBD) where others come before or after it.
    """
    first_day = day if page is None else page.first_day
    opens = "OPBD" if page is None or page.number == 1 else "ITBD"
    closes = "CLBD" if page is None or page.last else "ITBD"
    root, content = document(STATEMENT, "BkToCstmrStmt")
    header(content)
    found = add(content, "Stmt")
    add(found, "Id", f"{account}-{day}"[:35])
    if page is not None:
        pagination = add(found, "StmtPgntn")
        add(pagination, "PgNb", str(page.number))
        add(pagination, "LastPgInd", "true" if page.last else "false")
    add(found, "CreDtTm", now_text())
    period = add(found, "FrToDt")
    zone = zone_of_currency(currency)
    for name, of, at in (("FrDtTm", first_day, time()), ("ToDtTm", day, time(23, 59, 59))):
        add(period, name, datetime.combine(date.fromisoformat(of), at, zone).isoformat())
    _account(found, account, currency)
    moved = sum(one.amount_minor if one.direction == "CRDT" else -one.amount_minor for one in entries)
    for code, minor in ((opens, opening_minor), (closes, opening_minor + moved)):
        balance = add(found, "Bal")
        add(add(add(balance, "Tp"), "CdOrPrtry"), "Cd", code)
        add(balance, "Amt", written_amount(abs(minor))).set("Ccy", currency)
        add(balance, "CdtDbtInd", "DBIT" if minor < 0 else "CRDT")
        add(add(balance, "Dt"), "Dt", day)
    for one in entries:
        _entry(found, one)
    return as_bytes(root)


def notification(account: str, reference: str, entry: Entry) -> bytes:
    """The camt.054 that tells of one movement."""
    root, content = document(NOTIFICATION, "BkToCstmrDbtCdtNtfctn")
    header(content)
    found = add(content, "Ntfctn")
    add(found, "Id", reference)
    add(found, "CreDtTm", now_text())
    _account(found, account, entry.currency)
    _entry(found, entry)
    return as_bytes(root)


def _account(parent: etree._Element, account: str, currency: str) -> None:
    found = add(parent, "Acct")
    add(add(add(found, "Id"), "Othr"), "Id", account)
    add(found, "Ccy", currency)


def _entry(parent: etree._Element, one: Entry) -> None:
    found = add(parent, "Ntry")
    add(found, "NtryRef", one.reference)
    add(found, "Amt", written_amount(one.amount_minor)).set("Ccy", one.currency)
    add(found, "CdtDbtInd", one.direction)
    add(add(found, "Sts"), "Cd", "BOOK")
    add(add(found, "BookgDt"), "Dt", one.day)
    add(add(found, "ValDt"), "Dt", one.day)
    add(found, "AcctSvcrRef", one.reference)
    domain = add(add(found, "BkTxCd"), "Domn")
    add(domain, "Cd", "PMNT")
    family = add(domain, "Fmly")
    for name, code in zip(("Cd", "SubFmlyCd"), _CODES[one.kind], strict=True):
        add(family, name, code)
    details = add(add(found, "NtryDtls"), "TxDtls")
    ids = add(details, "Refs")
    add(ids, "EndToEndId", one.end_to_end_id)
    add(ids, "TxId", one.reference)
