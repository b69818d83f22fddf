"""The pure check: usage and a request against limits. Amounts in minor units of the wallet's currency.

What is limited has a scope: all that a tenant sends from its wallets of one currency, what leaves one wallet, and what is sent for one
payer. A transfer must fit under all three.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any, Final, Literal

from cells.kit.money import amount_text, money
from residency.classes import Confidential
from residency.errors import KovraError

Scope = Literal["tenant", "wallet", "payer"]
Window = Literal["transfer", "day", "month"]
Measure = Literal["amount", "count"]

# Nothing is limited above these: a batch of the largest transfers, upon the largest month, still fits into 64 bits.
TRANSFER_MAX_MINOR: Final = 10**15
SUM_MAX_MINOR: Final = 10**18
COUNT_MAX: Final = 2**31 - 1

_WHOSE: Final = {"tenant": "You send", "wallet": "This wallet sends", "payer": "This payer sends"}


class LimitExceeded(KovraError):
    """`extra`: `limit` names it, with its `scope`, `window` and `measure`; `most` is the limit, `left` what would still fit under it, and
    `resets_at` when its window ends (absent for the single transfer)."""

    code = "limit-exceeded"
    status = 422
    title = "The transfer is over a limit"


@dataclass(frozen=True, slots=True)
class CurrencyLimits:
    """What may be sent in one currency, in one scope. The amount is all that leaves the wallet."""

    transfer_minor: Annotated[int, Confidential] = TRANSFER_MAX_MINOR
    day_minor: Annotated[int, Confidential] = SUM_MAX_MINOR
    month_minor: Annotated[int, Confidential] = SUM_MAX_MINOR
    day_transfers: Annotated[int, Confidential] = COUNT_MAX
    month_transfers: Annotated[int, Confidential] = COUNT_MAX


# What no rule limits: as good as free for a wallet or a payer, and nothing at all for a tenant.
FREE: Final = CurrencyLimits()
NOTHING: Final = CurrencyLimits(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Usage:
    """What has been sent in one currency and scope, this day and month of the jurisdiction."""

    day_minor: Annotated[int, Confidential] = 0
    month_minor: Annotated[int, Confidential] = 0
    day_transfers: Annotated[int, Confidential] = 0
    month_transfers: Annotated[int, Confidential] = 0

    def plus(self, amount_minor: int, transfers: int = 1) -> "Usage":
        """The usage after so much more; less, where negative."""
        return Usage(
            self.day_minor + amount_minor,
            self.month_minor + amount_minor,
            self.day_transfers + transfers,
            self.month_transfers + transfers,
        )


def check(
    usage: Usage, amount_minor: int, currency: str, limits: CurrencyLimits, scope: Scope = "tenant", zone: tzinfo = UTC
) -> LimitExceeded | None:
    """None if a transfer of `amount_minor` fits on top of `usage`; else the first limit it would pass. `zone`: where
    days and months are counted."""
    # A failure is a value here: a batch goes on with its other transfers.
    if amount_minor > limits.transfer_minor:
        return _over_amount(scope, "transfer", limits.transfer_minor, limits.transfer_minor, currency, zone)
    if usage.day_minor + amount_minor > limits.day_minor:
        return _over_amount(scope, "day", limits.day_minor, limits.day_minor - usage.day_minor, currency, zone)
    if usage.month_minor + amount_minor > limits.month_minor:
        return _over_amount(scope, "month", limits.month_minor, limits.month_minor - usage.month_minor, currency, zone)
    if usage.day_transfers + 1 > limits.day_transfers:
        return _over_count(scope, "day", limits.day_transfers, currency, zone)
    if usage.month_transfers + 1 > limits.month_transfers:
        return _over_count(scope, "month", limits.month_transfers, currency, zone)
    return None


def window_end(window: Window, at: datetime, zone: tzinfo = UTC) -> datetime | None:
    """When the window that holds `at` ends, in UTC; None for the single transfer. `zone`: where its days are counted."""
    # In the zone's own time, so that a day on which the clock changes ends at its midnight too.
    midnight = at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    match window:
        case "transfer":
            return None
        case "day":
            end = midnight + timedelta(days=1)
        case "month":
            end = (midnight.replace(day=1) + timedelta(days=31)).replace(day=1)
    return end.astimezone(UTC)


def _over_amount(
    scope: Scope, window: Window, limit_minor: int, left_minor: int, currency: str, zone: tzinfo
) -> LimitExceeded:
    left_minor = max(left_minor, 0)
    return LimitExceeded(
        f"{_WHOSE[scope]} at most {amount_text(limit_minor, currency)} per {window}; {amount_text(left_minor, currency)} would still fit.",
        most=money(limit_minor, currency),
        left=money(left_minor, currency),
        **_named(scope, window, "amount", zone),
    )


def _over_count(scope: Scope, window: Window, limit: int, currency: str, zone: tzinfo) -> LimitExceeded:
    return LimitExceeded(
        f"{_WHOSE[scope]} at most {limit} transfers per {window} in {currency}; none is left.",
        most=limit,
        left=0,
        **_named(scope, window, "count", zone),
    )


def _named(scope: Scope, window: Window, measure: Measure, zone: tzinfo) -> dict[str, Any]:
    named = {"limit": f"{scope}-{window}-{measure}", "scope": scope, "window": window, "measure": measure}
    end = window_end(window, datetime.now(UTC), zone)
    return named if end is None else {**named, "resets_at": end.isoformat().replace("+00:00", "Z")}
