"""What screening said of a payment's parties, as the payment's row has it. Pure."""

from collections.abc import Sequence

from cells.compliance.checker import Block, Clear, Review, Verdict
from cells.payments.transfer import ScreeningResult
from residency.errors import KovraError


def screening_of(verdict: Verdict | None) -> ScreeningResult | None:
    """What a payment's row says of a verdict."""
    match verdict:
        case None:
            return None
        case Clear():
            return "clear"
        case Review():
            return "review"
        case Block():
            return "block"


def worst(verdicts: Sequence[Verdict | KovraError]) -> ScreeningResult:
    """The worst of several verdicts; a party that cannot be found is not clear."""
    if any(isinstance(one, Block) for one in verdicts):
        return "block"
    return "clear" if all(isinstance(one, Clear) for one in verdicts) else "review"


def review_reasons(verdicts: Sequence[Verdict | KovraError], large: str | None) -> tuple[str, ...]:
    """Why a person must look at the payment, as codes; empty when nobody need."""
    codes = {one.reason if isinstance(one, Review) else one.list for one in verdicts if isinstance(one, Review | Block)}
    return (*sorted(codes), *([large] if large else []))
