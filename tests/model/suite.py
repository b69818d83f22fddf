"""The scenarios that are searched, how each is searched, and how far: within the tests, and deeper with `make explore`."""

from dataclasses import dataclass

from cells.transfers.machine import Leg
from tests.model.scenario import Scenario, payment


@dataclass(frozen=True, slots=True)
class Searched:
    """A scenario and the budget that it is searched to in the tests. Without `deviations` the budget is of faults, between which every
    interleaving is taken; with them it is of faults and departures from the patient scheduler together."""

    scenario: Scenario
    budget: int
    deviations: bool = False


_ALONE = (
    Searched(Scenario("one payment", (payment(0, recipient_fee=7),)), 1),
    Searched(Scenario("cancelled", (payment(0),), verdicts=("paid",), cancels=True), 1),
    Searched(Scenario("reviewed", (payment(0, screening="review"),), verdicts=("paid",)), 1),
    Searched(
        Scenario("reviewed, and cancelled", (payment(0, screening="review"),), verdicts=("paid",), cancels=True), 0
    ),
    Searched(Scenario("no funds", (payment(0),), funds=0, cancels=True), 2),
    Searched(Scenario("in region, no funds", (payment(0, leg=Leg.IN_REGION),), funds=0), 2),
    Searched(Scenario("sanctioned", (payment(0, screening="block"),)), 3),
    Searched(Scenario("in region", (payment(0, leg=Leg.IN_REGION),), cancels=True), 2),
    Searched(Scenario("in region, reviewed", (payment(0, leg=Leg.IN_REGION, screening="review"),), cancels=True), 1),
    Searched(Scenario("refused by the destination", (payment(0, reason="AC01"),)), 1),
    Searched(Scenario("recipient erased", (payment(0, gone=True),)), 1),
    Searched(Scenario("claimed by another cell", (payment(0),), verdicts=("refused",), forged=True), 0),
    Searched(Scenario("at the peer's cap", (payment(0),), verdicts=("paid",), cap=0, raised=True), 1),
    Searched(Scenario("one quote, used twice", (payment(0), payment(1, quote=0)), verdicts=("paid",)), 0),
)
_TOGETHER = (
    Searched(Scenario("two on one wallet", (payment(0), payment(1)), cancels=True), 2, deviations=True),
    Searched(Scenario("two, and funds for one", (payment(0), payment(1)), funds=1), 1, deviations=True),
    Searched(Scenario("two, and a cap for one", (payment(0), payment(1)), cap=1, raised=True), 1, deviations=True),
    Searched(
        Scenario("two, one in region", (payment(0), payment(1, leg=Leg.IN_REGION)), cancels=True), 1, deviations=True
    ),
)
SUITE = (*_ALONE, *_TOGETHER)
