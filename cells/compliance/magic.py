"""The magic names of screening: what registering a party under each of them leads to, in a sandbox.

They are on the synthetic lists of `data/`; a test screens every one of them.
"""

from datetime import date
from typing import Literal, NamedTuple


class MagicName(NamedTuple):
    """A name, as whom it is registered with what, and what the lists say of it then."""

    name: str
    kind: Literal["person", "business"]
    verdict: Literal["block", "review"]
    story: str
    born: date | None = None
    lei: str | None = None


SCREENED_NAMES = (
    MagicName(
        "Kovra Sandbox Blocked",
        "person",
        "block",
        "as payer born on 1970-01-01: the funds are frozen (BLOCKED); by the name alone: the funds are held until a person has looked "
        "(IN_REVIEW); as a recipient: held in the region of the account until a person has looked",
        born=date(1970, 1, 1),
    ),
    MagicName(
        "Kovra Sandbox Blocked Trading",
        "business",
        "block",
        "as payer with the LEI KOVRASANDBOXBLOCK102 or the registration number SYN-900003: the funds are frozen (BLOCKED); as a recipient in "
        "another region with that LEI: refused there, and given back (REFUNDED); by the name alone: as above",
        lei="KOVRASANDBOXBLOCK102",
    ),
    MagicName(
        "Kovra Sandbox Review",
        "person",
        "review",
        "the funds are held until a person has looked (IN_REVIEW)",
    ),
)
