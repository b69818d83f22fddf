"""What compliance officers decide of a case, and when one officer's word is enough. Pure.

A case is a payment (IN_REVIEW, BLOCKED, or in doubt at its rail) or a party (a possible match, or blocked). Four eyes: where a deed takes two officers, the first
decision is on record as proposed, and another officer's same decision confirms it; a different one replaces it, and waits in its turn.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final, Literal

from cells.kit.operator import operator_handle
from residency.classes import Confidential, Public
from residency.errors import KovraError

_REFERENCE = re.compile(r"[A-Za-z0-9._:-]{0,64}")


class Deed(StrEnum):
    """`release` is of a party; a payment's funds are released to its payer (given back) or to its payee (it goes on). The last two are of a
    payment that its scheme leaves in doubt."""

    CLEAR = "clear"
    REFUSE = "refuse"
    BLOCK = "block"
    RELEASE = "release"
    RELEASE_TO_PAYER = "release_to_payer"
    RELEASE_TO_PAYEE = "release_to_payee"
    DOUBT_SETTLED = "doubt_settled"
    DOUBT_REFUSED = "doubt_refused"


RELEASES: Final = frozenset({Deed.RELEASE, Deed.RELEASE_TO_PAYER, Deed.RELEASE_TO_PAYEE})
# Codes and not sentences: what an officer writes may name somebody, and the audit trail holds nothing personal.
_GOOD = ("not-the-listed-party", "documents-in-order", "source-of-funds-shown")
_FREE = ("not-the-listed-party", "no-longer-listed", "licence-granted")
REASONS: Final[Mapping[Deed, tuple[str, ...]]] = MappingProxyType(
    {
        Deed.CLEAR: _GOOD,
        Deed.REFUSE: ("documents-lacking", "source-of-funds-doubtful", "no-answer", "risk-not-taken"),
        Deed.BLOCK: ("the-listed-party", "owned-by-a-listed-party", "order-of-an-authority"),
        Deed.RELEASE: _FREE,
        Deed.RELEASE_TO_PAYER: _FREE,
        Deed.RELEASE_TO_PAYEE: _FREE,
        Deed.DOUBT_SETTLED: ("scheme-confirms-payment", "statement-shows-payment", "payee-bank-confirms-payment"),
        Deed.DOUBT_REFUSED: ("scheme-confirms-refusal", "statement-lacks-payment", "payee-bank-lacks-payment"),
    }
)


class NoSuchCase(KovraError):
    code = "no-such-case"
    status = 404
    title = "There is no such case"


class CaseClosed(KovraError):
    code = "case-closed"
    status = 409
    title = "This cannot be decided of the case as it stands"


class ReasonInvalid(KovraError):
    code = "reason-invalid"
    status = 422
    title = "A decision has one of the known reasons"


class PartyBlocked(KovraError):
    code = "party-blocked"
    status = 409
    title = "A party to the payment is blocked"


class ScreeningMissing(KovraError):
    code = "screening-missing"
    status = 503
    retryable = True
    title = "The lists could not be asked"


@dataclass(frozen=True, slots=True)
class Asked:
    """What an officer asks: checked on the way in. Raises OperatorInvalid, ReasonInvalid."""

    deed: Deed
    officer: str
    reason: str
    reference: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "officer", operator_handle(self.officer))
        if self.reason not in REASONS[self.deed]:
            raise ReasonInvalid(f"Choose a reason for this decision: {', '.join(REASONS[self.deed])}.")
        if not _REFERENCE.fullmatch(self.reference):
            raise ReasonInvalid(
                "The reference of a file has at most 64 of A-Z, a-z, 0-9, dot, dash, colon, underscore."
            )


@dataclass(frozen=True, slots=True)
class Decision:
    """A row of `review_decisions`. `case_version`: of the case as it stood when the first officer decided."""

    decision_id: Annotated[str, Public]
    case_id: Annotated[str, Public]
    case_version: Annotated[str, Public]
    tenant_id: Annotated[str, Public]
    deed: Annotated[Deed, Confidential]
    officer: Annotated[str, Confidential]
    reason: Annotated[str, Confidential]
    reference: Annotated[str, Confidential] = ""
    state: Annotated[Literal["proposed", "done", "superseded", "lapsed"], Public] = "proposed"
    second_officer: Annotated[str | None, Confidential] = None
    second_reason: Annotated[str | None, Confidential] = None
    decided_at: Annotated[datetime | None, Public] = None
    closed_at: Annotated[datetime | None, Public] = None

    @property
    def officers(self) -> str:
        """Who decided, as the record of screenings names them."""
        return self.officer if self.second_officer is None else f"{self.officer}+{self.second_officer}"


Weighed = Literal["propose", "confirm", "do", "wait"]


def weigh(proposed: Decision | None, asked: Asked, *, two: bool) -> Weighed:
    """What becomes of an officer's word. `proposed`: what waits for a second officer, of the case as it stands; `two`: it takes two.

    `confirm`: the second officer agrees; `do`: one is enough; `propose`: it waits for another officer, in place of what waited before;
    `wait`: the same officer said the same again.
    """
    if proposed is not None and proposed.deed is asked.deed:
        if proposed.officer != asked.officer:
            return "confirm"
        return "wait" if two else "do"
    return "propose" if two else "do"
