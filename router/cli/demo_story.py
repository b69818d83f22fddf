"""What a demo run found out: claims that held or did not, payments, and the journey of the one that is shown in full."""

from dataclasses import dataclass, field
from datetime import datetime

from rich.rule import Rule
from rich.text import Text

from cells.reconciliation.report import Report
from cells.reconciliation.whole_journey import Journey
from router.cli.console import out
from router.cli.demo_listener import Heard
from router.client.models import Transfer

_RULE_WIDTH = 100


@dataclass(frozen=True)
class Claim:
    """One promise, whether it held, and what was seen."""

    what: str
    held: bool
    seen: str

    def show(self) -> None:
        mark = Text("  ok  ", "green") if self.held else Text("  NO  ", "bold red")
        out.print(mark + Text(self.what) + Text(f"  {self.seen}", "dim"))


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
        """From the request to the webhook at the partner."""
        return (self.heard.at - self.asked_at).total_seconds() * 1000


@dataclass
class Story:
    """Filled in as the demo goes; headings and claims are printed at once."""

    claims: list[Claim] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    journey: Journey | None = None
    report: Report | None = None

    def scene(self, title: str) -> None:
        out.print()
        out.print(Rule(Text(title, "bold"), align="left"), width=min(out.width, _RULE_WIDTH))

    def claim(self, what: str, held: bool, seen: str = "") -> None:
        self.claims.append(Claim(what, held, seen))
        self.claims[-1].show()

    @property
    def broken(self) -> list[Claim]:
        return [one for one in self.claims if not one.held]
