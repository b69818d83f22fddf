"""What each simulated scheme insists on, stated apart from the cell's own profiles."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SchemeRules:
    """`unit_minor`: the smallest payable amount. `positive`: how this scheme says that a payment is done."""

    currency: str
    unit_minor: int
    ceiling_minor: int | None
    transactions_max: int
    positive: str
    text: re.Pattern[str]
    name_length: int


_EPC = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]*")
_WITH_AMPERSAND = re.compile(r"[A-Za-z0-9/\-?:().,'+& ]*")

SCHEMES = {
    "sepa_instant": SchemeRules("EUR", 1, None, 1, "ACCP", _EPC, 70),
    "faster_payments": SchemeRules("GBP", 1, 1_000_000_00, 50, "ACSC", _WITH_AMPERSAND, 40),
    "bi_fast": SchemeRules("IDR", 100, 250_000_000_00, 50, "ACSC", _WITH_AMPERSAND, 140),
}
