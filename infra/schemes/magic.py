"""The magic values: what the creditor's name or the exact amount makes the simulated scheme do. The one table.

A script is chosen by its phrase anywhere in the creditor's name (capitals or not), else by the exact amount, counted in the rail's
smallest payable units above the amount that the scheme takes nothing below: EUR 90,911.01 and GBP 90,911.01 are 9091101 cents and
pence, IDR 9,091,101 by BI-FAST is as many rupiah, and so is IDR 109,091,101 by BI-RTGS, which takes amounts above IDR 100,000,000.
An ISO reason code after the phrase replaces the script's own: "SANDBOX REJECT AC06".
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

from infra.schemes.rules import SCHEMES, SchemeRules
from infra.schemes.store import Fate

RecallAnswer = Literal["granted", "refused", "silence"]


@dataclass(frozen=True, slots=True)
class Script:
    """What becomes of a payment. Times in days of simulator time.

    `answers`: how often the payment itself is answered. `pending_inquiries`: how many inquiries hear "pending" before the truth (the
    payment's own answer is "pending" too, then, if there is one). `late`: the truth is also pushed, after the first inquiry.
    `settles_after_days`: accepted now, settled then. `returns_after_days`: the payee's bank gives it back then, half of it where
    `returns_half`. `recall`: what a request to have it back hears. `whole`: a payment that came alone is answered by the status of its
    message, and not named. `contradicts`: its answer says that it is refused, too. `deaf`: the first inquiry is refused itself.
    """

    phrase: str
    units: int
    story: str
    fate: Fate
    reason: str = ""
    answers: int = 1
    pending_inquiries: int = 0
    late: bool = False
    settles_after_days: int = 0
    returns_after_days: int = 0
    returns_half: bool = False
    recall: RecallAnswer = "granted"
    whole: bool = False
    contradicts: bool = False
    deaf: bool = False


NameResult = Literal["match", "close", "no_match", "unavailable"]


@dataclass(frozen=True, slots=True)
class NameScript:
    """What a question about an account's holder hears; None: nothing at all."""

    phrase: str
    result: NameResult | None
    story: str


ORDINARY = Script("", 0, "paid at once", "settled")

SCRIPTS = (
    Script("SANDBOX REJECT", 9091101, "refused, AC04, or the code that follows: `SANDBOX REJECT AC06`", "rejected", "AC04"),
    Script("SANDBOX TIMEOUT SETTLED", 9091110, "no answer; an inquiry finds it paid", "settled", answers=0),
    Script("SANDBOX TIMEOUT REJECTED", 9091111, "no answer; an inquiry finds it refused", "rejected", "AC04", answers=0),
    Script("SANDBOX TIMEOUT LOST", 9091112, "no answer; the scheme has never heard of it", "lost", answers=0),
    Script("SANDBOX TIMEOUT UNKNOWN", 9091113, "no answer; inquiries hear \"pending\" until `kovra sandbox settle` or `reject`", "open",
           answers=0),
    Script("SANDBOX ANSWER TWICE", 9091120, "paid once, answered twice, and once more by a message of its own", "settled", answers=2),
    Script("SANDBOX ANSWER LATE", 9091121, "no answer; after the first inquiry the answer comes by itself: paid", "settled", answers=0,
           pending_inquiries=1, late=True),
    Script("SANDBOX ANSWER LATE REJECTED", 9091122, "the same: refused", "rejected", "AC04", answers=0, pending_inquiries=1, late=True),
    Script("SANDBOX PENDING SETTLED", 9091130, "pending, pending at the first inquiry, then paid", "settled", pending_inquiries=1),
    Script("SANDBOX PENDING REJECTED", 9091131, "the same, then refused", "rejected", "AC04", pending_inquiries=1),
    Script("SANDBOX SETTLE LATER", 9091132, "accepted (ACSP); settled a day later", "open", settles_after_days=1),
    Script("SANDBOX RETURN", 9091140, "paid; two days later the payee's bank returns it, AC04 or the code that follows", "settled", "AC04",
           returns_after_days=2),
    Script("SANDBOX RETURN HALF", 9091141, "the same, half of it", "settled", "AC04", returns_after_days=2, returns_half=True),
    Script("SANDBOX RECALL REFUSED", 9091150, "paid; a recall is refused, CUST or the code that follows", "settled", "CUST",
           recall="refused"),
    Script("SANDBOX RECALL SILENCE", 9091151, "paid; a recall is never answered", "settled", recall="silence"),
    Script("SANDBOX MESSAGE STATUS", 9091160, "paid; the answer states it of the whole message, and once more by a message of its own",
           "settled", answers=2, whole=True),
    Script("SANDBOX INQUIRY REFUSED", 9091161, "no answer; the first inquiry is itself refused, and the second finds it paid", "settled",
           answers=0, deaf=True),
    Script("SANDBOX CONTRADICTION", 9091162, "paid; the answer says so, and that it is refused, AC04; an inquiry finds it paid", "settled",
           contradicts=True),
)  # fmt: skip

NAME_SCRIPTS = (
    NameScript("SANDBOX NAME CLOSE", "close", "`close`; the account is held under the rest of the name"),
    NameScript("SANDBOX NAME WRONG", "no_match", "`no_match`"),
    NameScript("SANDBOX NAME UNKNOWN", "unavailable", "`unavailable`: the bank cannot say"),
    NameScript("SANDBOX NAME SILENCE", None, "no answer, so `unavailable` after the deadline"),
)
KNOWN_NAME = NameScript("", "match", "any other name: `match`")

_CODE = re.compile(r" ([A-Z]{2}[A-Z0-9]{2})\b")
_SAND = "SANDBOX "
# A longer phrase before the one that it begins with.
_BY_PHRASE = sorted(SCRIPTS, key=lambda one: -len(one.phrase))


def script_for(creditor_name: str, amount_minor: int, rules: SchemeRules) -> Script:
    """The script that this payment asks for; ORDINARY when it asks for none."""
    name = creditor_name.upper()
    for script in _BY_PHRASE if _SAND in name else ():
        at = name.find(script.phrase)
        if at >= 0:
            code = _CODE.match(name, at + len(script.phrase))
            return replace(script, reason=code[1]) if code and script.reason else script
    units, rest = divmod(amount_minor - rules.above_minor, rules.unit_minor)
    return next((script for script in SCRIPTS if script.units == units and not rest), ORDINARY)


def name_script_for(name: str) -> NameScript:
    """What a question about that name hears; KNOWN_NAME when it is none of the magic ones."""
    return next((script for script in NAME_SCRIPTS if script.phrase in name.upper()), KNOWN_NAME)


def amount_of(script: Script, rail: str) -> int:
    """The amount, in minor units, that makes the rail's scheme play the script."""
    rules = SCHEMES[rail]
    return rules.above_minor + script.units * rules.unit_minor


def magic_values(rail: str) -> dict[str, list[dict[str, str | int]]]:
    """The table as data: what the rail's scheme tells whoever asks, and the API shows partners."""
    return {
        "payments": [
            {"phrase": one.phrase, "amount_minor": amount_of(one, rail), "story": one.story} for one in SCRIPTS
        ],
        "names": [{"phrase": one.phrase, "story": one.story} for one in NAME_SCRIPTS],
    }
