"""The ISO 20022 reason codes that our rails use, by code, and the two kinds of them that end no payment. Pure.

Source: ISO 20022 external code sets, ExternalStatusReason1Code (iso20022.org, "External code sets"). A scheme's profile picks those
that end a payment there; a code outside its list ends none, whatever the status says.
"""

import re
from collections.abc import Iterable
from typing import Final

ISO_REASONS = {
    "AB05": "Time-out at the creditor's bank.",
    "AB06": "Time-out at an instructed bank.",
    "AB07": "A bank on the way is offline.",
    "AB08": "The creditor's bank is offline.",
    "AB09": "An error at the creditor's bank.",
    "AB10": "An error at an instructed bank.",
    "AC01": "The account number is wrong.",
    "AC03": "The creditor's account number is not valid.",
    "AC04": "The account is closed.",
    "AC06": "The account is blocked.",
    "AG01": "The account may not receive this kind of payment.",
    "AG02": "The kind of payment is not one the bank takes.",
    "AG10": "A bank on the way is suspended from the scheme.",
    "AG11": "The creditor's bank is suspended from the scheme.",
    "AM02": "The amount is above what the scheme or the account allows.",
    "AM03": "The currency is not one the scheme or the account takes.",
    "AM04": "There is not enough money.",
    "AM06": "The amount is below the scheme's minimum.",
    "AM12": "The amount is not valid.",
    "AM23": "The amount is above the limit of settlement.",
    "BE01": "The name does not match the account.",
    "BE04": "The creditor's address is missing or wrong.",
    "CH16": "An element of the message is formally incorrect.",
    "CNOR": "The creditor's bank is not registered with the scheme.",
    "DNOR": "The debtor's bank is not registered with the scheme.",
    "DT01": "A date is not valid.",
    "ED05": "The settlement failed.",
    "FF01": "The file format is invalid.",
    "MD07": "The account holder is deceased.",
    "MS02": "The customer gives no reason.",
    "MS03": "The bank gives no reason.",
    "RC01": "The bank identifier is wrong.",
    "RR01": "The debtor's account or identification is missing.",
    "RR02": "The debtor's name or address is missing.",
    "RR03": "The creditor's name or address is missing.",
    "RR04": "Refused for a regulatory reason.",
    "TM01": "The payment arrived after the time allowed.",
}
# An earlier message, batch, payment or transaction has the id: AM05, DUPL, and DU01 to DU05 by what is said to be there twice. Ids are one
# per payment, so the earlier one is ours, and it may be paid.
DUPLICATES: Final = frozenset({"AM05", "DUPL", "DU01", "DU02", "DU03", "DU04", "DU05"})
# What banks write beside NARR, or beside a code that says less: in English, French, German and Indonesian.
_SAYS_DUPLICATE = re.compile(
    r"\bdupli|\bdoublon|\bd[ée]j[àa] |\bdoppelt|\bbereits |\bganda\b|\bsudah |"
    r"\balready (?:been )?(?:process|receiv|exist|sent|paid|execut|settl|used|present|known)",
    re.IGNORECASE,
)


def pick(*codes: str) -> dict[str, str]:
    """The texts of these codes. A code that is not in the list is a bug."""
    return {code: ISO_REASONS[code] for code in codes}


def says_duplicate(codes: Iterable[str], texts: Iterable[str]) -> bool:
    """Whether a refusal says, by any of its codes or in words, that the payment was there before."""
    return not DUPLICATES.isdisjoint(codes) or any(_SAYS_DUPLICATE.search(one) for one in texts)
