"""What a demo run found out, as data: claims that held or did not, payments, and the journey of the one that is shown in full."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cells.reconciliation.report import Report
from router.cli.demo_books import Balance, Customs, Moment
from router.cli.demo_listener import Heard
from router.cli.demo_rooms import Stay
from router.client.models import Quote, Transfer

Snapshot = Mapping[str, Mapping[int, Balance]]
"""Every account's balance, by cell and account id."""


@dataclass(frozen=True)
class Claim:
    """One thing that the demo says, whether it held, and what was seen."""

    what: str
    held: bool
    seen: str


@dataclass(frozen=True)
class Payment:
    """A payment as the partner saw it: the transfer at rest, when it was asked for, and the webhook that ended it."""

    title: str
    transfer: Transfer
    asked_at: datetime
    answered_ms: float
    heard: Heard

    @property
    def total_ms(self) -> float:
        """From the request to the webhook on the partner's desk."""
        return (self.heard.at - self.asked_at).total_seconds() * 1000


@dataclass(frozen=True)
class Journey:
    """One payment across the border, in full. `timeline` has both legs, in the order of time."""

    payment: Payment
    quote: Quote
    timeline: Sequence[Moment]
    stays: Sequence[Stay]
    customs: Sequence[Customs]
    before: Snapshot
    after: Snapshot


def _silent(_: object) -> None:
    return None


@dataclass
class Story:
    """Filled in as the demo goes. `on_claim` and `on_scene` hear of it at once."""

    on_claim: Callable[[Claim], None] = _silent
    on_scene: Callable[[str], None] = _silent
    claims: list[Claim] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    journey: Journey | None = None
    warm: list[Sequence[Stay]] = field(default_factory=list)
    report: Report | None = None

    def scene(self, title: str) -> None:
        self.on_scene(title)

    def claim(self, what: str, held: bool, seen: str = "") -> None:
        self.claims.append(Claim(what, held, seen))
        self.on_claim(self.claims[-1])

    @property
    def broken(self) -> list[Claim]:
        return [one for one in self.claims if not one.held]
