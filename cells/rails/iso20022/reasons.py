"""The reason codes of which a rail's profile is made, and those that end no payment.

Their words are reason_words.toml's. A scheme's profile picks the codes that end a payment there; a code outside its list ends none,
whatever the status says.
"""

import re
from collections.abc import Iterable
from typing import Final

from cells.rails.iso20022.reason_words import reasons

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
    """These codes with their words. Raises KeyError for one that reason_words.toml lacks: the profile does not load."""
    return {code: f"{reasons()[code].title}." for code in codes}


def says_duplicate(codes: Iterable[str], texts: Iterable[str]) -> bool:
    """Whether a refusal says, by any of its codes or in words, that the payment was there before."""
    return not DUPLICATES.isdisjoint(codes) or any(_SAYS_DUPLICATE.search(one) for one in texts)
