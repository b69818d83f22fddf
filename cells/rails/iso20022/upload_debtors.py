"""Whose account a PmtInf of a pain.001 pays from, and whether the bank that it names is that account's. Pure."""

from typing import Final

from lxml import etree
from schwifty import IBAN

from cells.rails.account_spelling import bare, uk_of_iban
from cells.rails.bic import AccountInvalid, check_bic
from cells.rails.iso20022.upload_line import NO_ID, Gathered, account_number, words

_AGENT: Final = "DbtrAgt/FinInstnId"
_SORT_CODE, _NUMBER, _JOINED = 6, 8, 14  # digits of a UK sort code, of an account number, and of both


def read_debtor(gathered: Gathered, block: etree._Element) -> str:
    """The number of DbtrAcct, as a wallet's: of a UK account with the sort code, wherever the file has it. "" with a fault for none."""
    account = block.find("DbtrAcct")
    number = account_number(gathered, account, "AC02", "DbtrAcct")
    if account is None or not number:
        return ""
    _check_bic(gathered, block, number if account.find("Id/IBAN") is not None else "")
    member = block.find(f"{_AGENT}/ClrSysMmbId/MmbId")
    code, plain = bare(words(block, f"{_AGENT}/ClrSysMmbId/MmbId")), bare(number)
    if member is None or len(code) != _SORT_CODE:
        return number
    if plain.isdigit() and len(plain) == _NUMBER:
        return code + plain
    uk = uk_of_iban(plain)
    own = uk[0] if uk is not None else plain[:_SORT_CODE] if len(plain) == _JOINED else code
    if own != code:
        gathered.no(member, "RC03", "DbtrAgt names another bank than DbtrAcct's.")
    return number


def _check_bic(gathered: Gathered, block: etree._Element, iban: str) -> None:
    for path in (f"{_AGENT}/BICFI", f"{_AGENT}/BIC"):
        found = block.find(path)
        bic = bare(words(block, path))
        parsed = IBAN(bare(iban), allow_invalid=True)
        if found is None or bic == NO_ID or not parsed.is_valid:
            continue
        try:
            check_bic(bic, parsed, "")
        except AccountInvalid as error:
            gathered.no(found, "RC03", f"DbtrAgt is not the bank of DbtrAcct. {error.detail}")
