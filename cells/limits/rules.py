"""Limits as data: what a rule says, and which of several counts. Pure.

A rule is never edited: another value is another version, with an effective date, and of the versions in force at a moment the highest
counts. Of rules for the same thing the narrowest does: one for a single wallet or payer before one for all of a tenant's, that
before a tier's, that before everybody's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Final, NamedTuple

from cells.kit.money import amount_text
from cells.limits.limits import (
    COUNT_MAX,
    FREE,
    NOTHING,
    SUM_MAX_MINOR,
    TRANSFER_MAX_MINOR,
    CurrencyLimits,
    Measure,
    Scope,
    Window,
)
from residency.classes import Confidential, Public
from residency.errors import KovraError

ANY = ""
SCOPES: Final[tuple[Scope, ...]] = ("tenant", "wallet", "payer")
_SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)


class LimitRefused(KovraError):
    code = "limit-refused"
    status = 422
    title = "That is no limit that can be set"


@dataclass(frozen=True, slots=True)
class LimitRule:
    """A row of `limit_rules`. `value`: minor units of `currency`, or a number of transfers. `tenant_id`, `tier` and `subject` (a
    wallet's or payer's id) narrow it down; ANY = all."""

    tenant_id: Annotated[str, Public]
    tier: Annotated[str, Confidential]
    currency: Annotated[str, Public]
    scope: Annotated[Scope, Public]
    subject: Annotated[str, Public]
    window: Annotated[Window, Public]
    measure: Annotated[Measure, Public]
    version: Annotated[int, Public]
    value: Annotated[int, Confidential]
    effective_from: Annotated[datetime, Public] = _SINCE
    effective_to: Annotated[datetime | None, Public] = None

    @property
    def key(self) -> tuple[str, ...]:
        """What versions of one rule have in common."""
        return (self.tenant_id, self.tier, self.currency, self.scope, self.subject, self.window, self.measure)

    @property
    def field(self) -> str:
        """The field of CurrencyLimits that it gives."""
        return f"{self.window}_{'minor' if self.measure == 'amount' else 'transfers'}"

    @property
    def narrowness(self) -> tuple[bool, bool, bool]:
        return (self.subject != ANY, self.tenant_id != ANY, self.tier != ANY)

    def check(self) -> None:
        """Raises LimitRefused for a limit that makes no sense."""
        most = (
            COUNT_MAX if self.measure == "count" else TRANSFER_MAX_MINOR if self.window == "transfer" else SUM_MAX_MINOR
        )
        if not 0 <= self.value <= most:
            said = f"{most} transfers" if self.measure == "count" else amount_text(most, self.currency)
            raise LimitRefused(f"No limit is above {said}.")
        if self.measure == "count" and self.window == "transfer":
            raise LimitRefused("A transfer is always one.")
        if self.subject and self.scope == "tenant":
            raise LimitRefused("A tenant is named as the tenant; a subject is a wallet or a payer.")
        if self.effective_to is not None and self.effective_to <= self.effective_from:
            raise LimitRefused("It would end before it begins.")

    def in_force(self, at: datetime) -> bool:
        return self.effective_from <= at and (self.effective_to is None or at < self.effective_to)


class Sender(NamedTuple):
    """Who sends, as far as limits tell senders apart."""

    tenant_id: str
    tier: str
    currency: str
    wallet_id: str
    payer_id: str

    def subject(self, scope: Scope) -> str:
        """Whose usage is counted in that scope."""
        match scope:
            case "tenant":
                return ANY
            case "wallet":
                return self.wallet_id
            case "payer":
                return self.payer_id


@dataclass(slots=True)
class Bounds:
    """The rules in force at one moment, ready to be asked for a sender's limits; what was asked once is remembered."""

    rules: dict[tuple[str, Scope], list[LimitRule]]
    _known: dict[tuple[Scope, str, str, str, str], CurrencyLimits] = field(default_factory=dict)

    @classmethod
    def of(cls, rules: Iterable[LimitRule], at: datetime) -> "Bounds":
        newest: dict[tuple[str, ...], LimitRule] = {}
        for one in rules:
            if one.in_force(at) and (one.key not in newest or one.version > newest[one.key].version):
                newest[one.key] = one
        by_kind: dict[tuple[str, Scope], list[LimitRule]] = {}
        # The narrowest last: where several give a field, the last one stands.
        for one in sorted(newest.values(), key=lambda rule: rule.narrowness):
            by_kind.setdefault((one.currency, one.scope), []).append(one)
        return cls(by_kind)

    def limits(self, sender: Sender, scope: Scope) -> CurrencyLimits:
        rules = self.rules.get((sender.currency, scope))
        if not rules:
            return NOTHING if scope == "tenant" else FREE
        key = (scope, sender.tenant_id, sender.tier, sender.currency, sender.subject(scope))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _narrowed(rules, sender, scope)
        return known


def _narrowed(rules: Iterable[LimitRule], sender: Sender, scope: Scope) -> CurrencyLimits:
    found = {
        rule.field: rule.value
        for rule in rules
        if rule.tenant_id in (ANY, sender.tenant_id)
        and rule.tier in (ANY, sender.tier)
        and rule.subject in (ANY, sender.subject(scope))
    }
    if not found:
        return NOTHING if scope == "tenant" else FREE
    return CurrencyLimits(**found)
