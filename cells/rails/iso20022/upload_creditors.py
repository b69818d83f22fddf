"""Whom a line of a pain.001 pays, where it describes the creditor: name, account, bank, address, LEI. Pure."""

from typing import Final

from lxml import etree
from stdnum import lei as leis

from cells.rails.account_forms import account_formats, form_of_currency
from cells.rails.iso20022.upload_line import NO_ID, Gathered, account_number, words
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import Account, Party

_FREE_LINES_MAX: Final = 2


def read_creditor(gathered: Gathered, one: etree._Element, currency: str) -> Party | None:
    """None, with faults, for a creditor that cannot be paid."""
    party, account = one.find("Cdtr"), one.find("CdtrAcct")
    name = words(party, "Nm")
    if party is None or not name:
        gathered.no(one if party is None else party, "BE22", "The creditor has no name (Cdtr/Nm).")
    else:
        _check_name(gathered, party, name, currency)
    if account is None:
        gathered.no(one, "AC02", "The creditor has no account (CdtrAcct).")
    if party is None or account is None:
        return None
    number = account_number(gathered, account, "AC03", "CdtrAcct")
    told = account.find("Ccy")
    if told is not None and currency and words(account, "Ccy") != currency:
        gathered.no(told, "AC11", "CdtrAcct is in another currency than InstdAmt.")
    of = _account(gathered, one, account, number, currency)
    lei = words(party, "Id/OrgId/LEI")
    if lei and not leis.is_valid(lei):
        gathered.no(party.find("Id/OrgId/LEI"), "BE17", "The LEI's check digits do not hold (ISO 17442).")
    _check_address(gathered, party.find("PstlAdr"))
    if of is None or gathered.faults:
        return None
    address = party.find("PstlAdr")
    return Party(
        name,
        of,
        country=words(address, "Ctry"),
        town=words(address, "TwnNm"),
        street=words(address, "StrtNm"),
        postcode=words(address, "PstCd"),
        building=words(address, "BldgNb"),
        subdivision=words(address, "CtrySubDvsn"),
        lines=()
        if address is None
        else tuple(" ".join((each.text or "").split()) for each in address.findall("AdrLine")),
        lei=lei,
    )


def _check_name(gathered: Gathered, party: etree._Element, name: str, currency: str) -> None:
    carried = max(
        (one.text.name_length for one in rail_profiles().values() if one.currency == currency), default=len(name)
    )
    if len(name) > carried:
        gathered.no(party.find("Nm"), "CH16", f"Nm has {len(name)} characters; payments in {currency} carry {carried}.")


def _check_address(gathered: Gathered, address: etree._Element | None) -> None:
    """Town and country in elements of their own, and at most two lines beside them: the hybrid and the structured form. SEPA and HVPS+
    refuse free lines alone from November 2026 (cells/rails/iso20022/parties.py)."""
    if address is None or not len(address):
        return
    missing = [name for name in ("TwnNm", "Ctry") if not words(address, name)]
    if missing:
        gathered.no(
            address,
            "BE04",
            f"PstlAdr lacks {' and '.join(missing)}: an address has town and country in elements of their own, or is left out.",
        )
    lines = address.findall("AdrLine")
    held = len(lines) + bool(words(address, "StrtNm") or words(address, "BldgNb")) + bool(words(address, "CtrySubDvsn"))
    if lines and held > _FREE_LINES_MAX:
        gathered.no(
            lines[-1],
            "BE04",
            f"PstlAdr has {held} lines of text; {_FREE_LINES_MAX} are carried, of AdrLine, street and CtrySubDvsn.",
        )


def _account(
    gathered: Gathered, one: etree._Element, account: etree._Element, number: str, currency: str
) -> Account | None:
    """The account in the form that its currency has, with the bank that CdtrAgt names."""
    agent = one.find("CdtrAgt/FinInstnId")
    bic, member, other = (
        "" if (text := words(agent, path)).upper() == NO_ID else text
        for path in ("BICFI", "ClrSysMmbId/MmbId", "Othr/Id")
    )
    bic = bic or _old_bic(agent)
    system = words(agent, "ClrSysMmbId/ClrSysId/Cd")
    form = form_of_currency(currency)
    local = None if form is None or form == "iban" else account_formats()[form]
    if system and (local is None or local.clearing_system != system):
        known = [
            f"{one.clearing_system} for {' or '.join(one.examples)}"
            for one in account_formats().values()
            if one.clearing_system
        ]
        gathered.no(agent, "RC04", f"ClrSysId is to be {' or '.join(known)}.")
    if account.find("Id/IBAN") is not None:
        if member or other:
            gathered.no(agent, "RC04", "Beside an IBAN the bank is named by BIC, or not at all.")
        return Account("iban", number, bic)
    if form is None or local is None:
        gathered.no(account, "AC03", f"An account in {currency or 'that currency'} is named by its IBAN.")
        return None
    named = [text for text in (member, other) if text]
    if bic or len(named) != 1:
        what = f"{local.fields[0].label.lower()} (ClrSysMmbId, {local.clearing_system}, or Othr/Id)"
        gathered.no(
            one if agent is None else agent,
            "AGNT",
            f"An account that is no IBAN needs its {what}, and no other name of the bank.",
        )
        return None
    return Account(form, number, named[0])


def _old_bic(agent: etree._Element | None) -> str:
    """As pain.001.001.03 names it."""
    found = words(agent, "BIC")
    return "" if found.upper() == NO_ID else found
