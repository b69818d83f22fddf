"""Accounts, agents and parties between our words and the message's. Pure.

An IBAN names its bank by BIC, a UK account by sort code (clearing system GBDSC), an Indonesian one by the
bank's code.
"""

from types import MappingProxyType, ModuleType
from typing import Any, Final

import pyiso20022.pacs.pacs_008_001_08 as pacs

from cells.rails.account_forms import AccountForm, account_formats
from cells.rails.accounts import received_account
from cells.rails.iso20022.text import written, written_or_empty
from cells.rails.profile import RailProfile
from cells.rails.rail import Account, MessageInvalid, Party

# What ISO and EPC guidelines write where an agent has no identifier that can be given.
_NOT_PROVIDED = "NOTPROVIDED"
# ISO 20022 PostalAddress24, by the fields of a Party.
ADDRESS_LENGTHS: Final = MappingProxyType(
    {"street": 70, "building": 16, "postcode": 16, "town": 35, "subdivision": 35, "lines": 70}
)


def agent(form: AccountForm, code: str) -> pacs.BranchAndFinancialInstitutionIdentification6:
    """The agent of a pacs.008 that `code` names."""
    found: pacs.BranchAndFinancialInstitutionIdentification6 = agent_in(pacs, form, code)
    return found


def agent_in(message: ModuleType, form: AccountForm, code: str) -> Any:
    """The same for any message of the release: `message` is the module of its classes, each of which has its own namespace."""
    return message.BranchAndFinancialInstitutionIdentification6(fin_instn_id=_institution(message, form, code))


def _institution(message: ModuleType, form: AccountForm, code: str) -> Any:
    named = message.FinancialInstitutionIdentification18
    if not code:
        return named(othr=message.GenericFinancialIdentification1(id=_NOT_PROVIDED))
    if form == "iban":
        return named(bicfi=code)
    if form == "uk":
        system = message.ClearingSystemIdentification2Choice(cd=account_formats()[form].clearing_system)
        member = message.ClearingSystemMemberIdentification2(clr_sys_id=system, mmb_id=code)
        return named(clr_sys_mmb_id=member)
    return named(othr=message.GenericFinancialIdentification1(id=code))


def account(of: Account) -> pacs.CashAccount38:
    if of.form == "iban":
        return pacs.CashAccount38(id=pacs.AccountIdentification4Choice(iban=of.number))
    other = pacs.GenericAccountIdentification1(id=of.number)
    return pacs.CashAccount38(id=pacs.AccountIdentification4Choice(othr=other))


def address_fault(of: Party, profile: RailProfile) -> str | None:
    """What a given address lacks for the structured form; None when it is whole, or when none is given.

    Town and country have elements of their own wherever an address is sent, and free lines stand beside them (the hybrid form) or nowhere:
    SEPA refuses free lines alone by settlement date from 15 November 2026 (EPC 2025 rulebooks 1.1; EPC153-22 v2.1), CHAPS and all of
    HVPS+ with Swift's release of 14 November 2026. No scheme here demands an address where the parties gave none; a bank's country alone is not an address.
    """
    if not (of.town or of.street or of.postcode or of.building or of.lines):
        return None
    if not of.country:
        return "An address needs its country."
    if not written_or_empty(of.town, profile.text, ADDRESS_LENGTHS["town"]):
        return "An address needs its town, in letters that the scheme can carry."
    return None


def party(of: Party, profile: RailProfile) -> pacs.PartyIdentification135:
    """Raises Unwritable when the name cannot be written in the scheme's characters."""
    rules = profile.text
    town = written_or_empty(of.town, rules, ADDRESS_LENGTHS["town"])
    address = None
    if town and of.country:
        address = pacs.PostalAddress24(
            strt_nm=written_or_empty(of.street, rules, ADDRESS_LENGTHS["street"]) or None,
            bldg_nb=written_or_empty(of.building, rules, ADDRESS_LENGTHS["building"]) or None,
            pst_cd=written_or_empty(of.postcode, rules, ADDRESS_LENGTHS["postcode"]) or None,
            twn_nm=town,
            ctry_sub_dvsn=written_or_empty(of.subdivision, rules, ADDRESS_LENGTHS["subdivision"]) or None,
            ctry=of.country,
            adr_line=[line for one in of.lines if (line := written_or_empty(one, rules, ADDRESS_LENGTHS["lines"]))],
        )
    organisation = pacs.Party38Choice(org_id=pacs.OrganisationIdentification29(lei=of.lei)) if of.lei else None
    return pacs.PartyIdentification135(nm=written(of.name, rules, rules.name_length), pstl_adr=address, id=organisation)


def read_account(
    found: pacs.CashAccount38 | None,
    of_agent: pacs.BranchAndFinancialInstitutionIdentification6,
    profile: RailProfile,
) -> Account | None:
    """The account with the bank its agent names. Raises MessageInvalid for an account without a number."""
    if found is None:
        return None
    if found.id.iban is None and found.id.othr is None:
        raise MessageInvalid("An account in the message has no number.")
    number = found.id.iban or found.id.othr.id
    return received_account(profile.account_form, number, _code(of_agent.fin_instn_id))


def _code(institution: pacs.FinancialInstitutionIdentification18) -> str:
    if institution.bicfi is not None:
        return str(institution.bicfi)
    if institution.clr_sys_mmb_id is not None:
        return str(institution.clr_sys_mmb_id.mmb_id)
    if institution.othr is not None and institution.othr.id != _NOT_PROVIDED:
        return str(institution.othr.id)
    return ""


def read_party(found: pacs.PartyIdentification135, of_account: Account | None) -> Party:
    address, named = found.pstl_adr, found.id
    lei = (named.org_id.lei or "") if named is not None and named.org_id is not None else ""
    if address is None:
        return Party(found.nm or "", of_account, lei=lei)
    return Party(
        found.nm or "",
        of_account,
        country=address.ctry or "",
        town=address.twn_nm or "",
        street=address.strt_nm or "",
        postcode=address.pst_cd or "",
        building=address.bldg_nb or "",
        subdivision=address.ctry_sub_dvsn or "",
        lines=tuple(address.adr_line),
        lei=lei,
    )
