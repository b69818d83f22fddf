"""The magic names of screening: what registering a party under each of them leads to, in a sandbox.

They are on the synthetic lists of `data/`; a test screens every one of them.
"""

from typing import Literal, NamedTuple


class MagicName(NamedTuple):
    """A name, as whom it is registered, and what the lists say of it."""

    name: str
    kind: Literal["person", "business"]
    verdict: Literal["block", "review"]
    story: str


SCREENED_NAMES = (
    MagicName(
        "Kovra Sandbox Blocked",
        "person",
        "block",
        "as payer: the funds are frozen (BLOCKED); as a recipient in another region: refused there, and given back (REFUNDED)",
    ),
    MagicName("Kovra Sandbox Blocked Trading", "business", "block", "the same for a business"),
    MagicName(
        "Kovra Sandbox Review",
        "person",
        "review",
        "the funds are held until a person has looked (IN_REVIEW)",
    ),
)
