"""Where a sender stands with its limits: what each allows, what of it is used, what is left, and when it begins anew. Pure.

It reads the same limits and usage as the check (limits.py), so that what is shown as left is what would still be admitted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Annotated, Final

from cells.limits.limits import FREE, Measure, Scope, Usage, Window, window_end
from cells.limits.rules import ANY, Bounds, Sender
from residency.classes import Confidential, Public

# By field of CurrencyLimits: its window, what it measures.
_FIELDS: Final[Mapping[str, tuple[Window, Measure]]] = {
    "transfer_minor": ("transfer", "amount"),
    "day_minor": ("day", "amount"),
    "month_minor": ("month", "amount"),
    "day_transfers": ("day", "count"),
    "month_transfers": ("month", "count"),
}
_NONE: Final = Usage()


@dataclass(frozen=True, slots=True)
class Standing:
    """One limit. `most`, `used` and `left`: minor units of `currency`, or numbers of transfers. `subject`: the wallet or payer that is
    limited, ANY for each of them alike. `used` is None for the single transfer, and where it is each one's own. `resets_at` in UTC."""

    scope: Annotated[Scope, Public]
    subject: Annotated[str, Public]
    currency: Annotated[str, Public]
    window: Annotated[Window, Public]
    measure: Annotated[Measure, Public]
    most: Annotated[int, Confidential]
    used: Annotated[int | None, Confidential]
    left: Annotated[int | None, Confidential]
    resets_at: Annotated[datetime | None, Public]

    @property
    def name(self) -> str:
        """As a refusal names it (`limit-exceeded`)."""
        return f"{self.scope}-{self.window}-{self.measure}"


def standings(
    bounds: Bounds, sender: Sender, scope: Scope, usage: Usage | None, at: datetime, zone: tzinfo
) -> Iterator[Standing]:
    """The limits of a sender in one scope; what nothing limits is left out. `usage`: None where the subject is not named, and so is
    anyone's. `zone`: where days and months are counted."""
    limits = bounds.limits(sender, scope)
    for field, (window, measure) in _FIELDS.items():
        most = getattr(limits, field)
        if most == getattr(FREE, field):
            continue
        used = left = None
        if window == "transfer":
            left = most
        elif usage is not None:
            used = getattr(usage, field)
            left = max(most - used, 0)
        yield Standing(
            scope, sender.subject(scope), sender.currency, window, measure, most, used, left, window_end(window, at, zone)
        )  # fmt: skip


def usage_of(found: Mapping[tuple[str, str, Scope, str], Usage], sender: Sender, scope: Scope) -> Usage | None:
    """The usage that counts for a sender in a scope (store.find_usage); None where it names no wallet or payer."""
    subject = sender.subject(scope)
    if scope != "tenant" and subject == ANY:
        return None
    return found.get((sender.tenant_id, sender.currency, scope, subject), _NONE)
