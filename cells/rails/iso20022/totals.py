"""Headers held against what they head: counts, control sums and totals of scheme messages. Pure.

Invariant: what a header says of its content is the content, or the message is refused whole, and says which number is wrong; nothing of a
message that contradicts itself moves money.
"""

from collections.abc import Sequence
from decimal import Decimal

from cells.rails.rail import MessageInvalid


def held(
    amounts: Sequence[Decimal], count: str | None, control_sum: Decimal | None = None, total: Decimal | None = None
) -> None:
    """`amounts`: of the transactions; the others as the header states them, None where it does not. Raises MessageInvalid."""
    if count is not None and int(count) != len(amounts):
        raise MessageInvalid(
            f"The header counts {int(count)} transactions (NbOfTxs), and the message holds {len(amounts)}."
        )
    for name, stated in (("control sum (CtrlSum)", control_sum), ("total amount", total)):
        if stated is not None and stated != sum(amounts, Decimal()):
            raise MessageInvalid(f"The header's {name} is not the sum of the transactions.")


def unique(names: Sequence[str], what: str) -> None:
    """No two of a message carry one id. `what`: which id. Raises MessageInvalid."""
    if len(set(names)) != len(names):
        raise MessageInvalid(f"Two transactions of the message carry one {what}.")
