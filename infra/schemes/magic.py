"""The magic values: what the creditor's name or the exact amount makes the simulated scheme do. The one
table.

A script is chosen by its phrase anywhere in the creditor's name (capitals or not), else by the exact amount,
counted in the rail's smallest payable units: EUR 90,911.01 and GBP 90,911.01 are 9091101 cents and pence, IDR
9,091,101 is as many rupiah. An ISO reason code after the phrase replaces the script's own: "SANDBOX REJECT
AC06".
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

Fate = Literal["settled", "rejected", "lost"]


@dataclass(frozen=True, slots=True)
class Script:
    """What becomes of a payment. `answers`: how often the payment itself is answered; `pending_inquiries`:
    how many inquiries hear "pending" before the truth (the payment's own answer is "pending" too, then)."""

    phrase: str
    units: int
    fate: Fate
    reason: str = ""
    answers: int = 1
    pending_inquiries: int = 0


ORDINARY = Script("", 0, "settled")

SCRIPTS = (
    #      phrase                        units    what happens
    Script("SANDBOX REJECT",             9091101, "rejected", "AC04"),
    Script("SANDBOX TIMEOUT SETTLED",    9091110, "settled", answers=0),
    Script("SANDBOX TIMEOUT REJECTED",   9091111, "rejected", "AC04", answers=0),
    Script("SANDBOX TIMEOUT LOST",       9091112, "lost", answers=0),
    Script("SANDBOX ANSWER TWICE",       9091120, "settled", answers=2),
    Script("SANDBOX PENDING SETTLED",    9091130, "settled", pending_inquiries=1),
    Script("SANDBOX PENDING REJECTED",   9091131, "rejected", "AC04", pending_inquiries=1),
)  # fmt: skip

_CODE = re.compile(r" ([A-Z]{2}[A-Z0-9]{2})\b")


def script_for(creditor_name: str, amount_minor: int, unit_minor: int) -> Script:
    """The script that this payment asks for; ORDINARY when it asks for none."""
    name = creditor_name.upper()
    for script in SCRIPTS:
        at = name.find(script.phrase)
        if at >= 0:
            code = _CODE.match(name, at + len(script.phrase))
            return replace(script, reason=code[1]) if code and script.reason else script
    units, rest = divmod(amount_minor, unit_minor)
    return next((script for script in SCRIPTS if script.units == units and not rest), ORDINARY)
