"""The scenarios that are searched, how each is searched, and how far: within the tests, and deeper with `make explore`."""

from dataclasses import dataclass

from cells.payments.machine import Leg
from tests.model.scenario import TARGET, Scenario, payment


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
    Searched(Scenario("payee reviewed", (payment(0, payee_in_review=True),), verdicts=("paid",)), 1),
    Searched(Scenario("found before it leaves", (payment(0),), verdicts=("paid",), cancels=True, relists=True), 0),
    Searched(Scenario("no funds", (payment(0),), funds=0, cancels=True), 2),
    Searched(Scenario("in region, no funds", (payment(0, leg=Leg.IN_REGION),), funds=0), 2),
    Searched(Scenario("sanctioned", (payment(0, screening="block"),)), 3),
    Searched(
        Scenario("sanctioned, and released", (payment(0, screening="block"),), verdicts=("refused",), releases=True), 0
    ),
    Searched(
        Scenario(
            "in region, released", (payment(0, leg=Leg.IN_REGION, screening="block"),), cancels=True, releases=True
        ),
        1,
    ),
    Searched(Scenario("in region", (payment(0, leg=Leg.IN_REGION),), cancels=True), 2),
    Searched(Scenario("in region, reviewed", (payment(0, leg=Leg.IN_REGION, screening="review"),), cancels=True), 1),
    Searched(Scenario("refused by the destination", (payment(0, reason="AC01"),)), 1),
    Searched(Scenario("recipient erased", (payment(0, gone=True),)), 1),
    Searched(Scenario("claimed by another cell", (payment(0),), verdicts=("refused",), forged=True), 0),
    Searched(Scenario("returned whole", (payment(0),), verdicts=("paid",), returns=(TARGET,)), 1, deviations=True),
    Searched(
        Scenario(
            "returned in two parts", (payment(0),), verdicts=("paid",), returns=(TARGET // 3, TARGET - TARGET // 3)
        ),
        1,
        deviations=True,
    ),
    Searched(
        Scenario("returned, and more than was paid", (payment(0),), verdicts=("paid",), returns=(TARGET // 3, TARGET)),
        1,
        deviations=True,
    ),
    Searched(
        Scenario(
            "in region, returned in two parts", (payment(0, leg=Leg.IN_REGION),), verdicts=("paid",), returns=(300, 700)
        ),
        1,
    ),
    Searched(
        Scenario(
            "in region, returned three times",
            (payment(0, leg=Leg.IN_REGION),),
            verdicts=("paid",),
            returns=(100, 200, 300),
        ),
        0,
    ),
    Searched(
        Scenario("returned in three parts", (payment(0),), verdicts=("paid",), returns=(1, 2, 3)), 0, deviations=True
    ),
    Searched(Scenario("restored", (payment(0),), verdicts=("refused", "paid"), restores=True), 1),
    Searched(Scenario("in region, restored", (payment(0, leg=Leg.IN_REGION),), restores=True), 2),
    Searched(
        Scenario("in region, returned whole", (payment(0, leg=Leg.IN_REGION),), verdicts=("paid",), returns=(1_000,)), 1
    ),
    Searched(
        Scenario(
            "restored, and returned",
            (payment(0, leg=Leg.IN_REGION),),
            verdicts=("paid",),
            restores=True,
            returns=(300,),
        ),
        1,
    ),
    Searched(Scenario("refused, then paid", (payment(0),), verdicts=("refused",), takes_back=True), 1, deviations=True),
    Searched(
        Scenario(
            "in region, refused, then paid", (payment(0, leg=Leg.IN_REGION),), verdicts=("refused",), takes_back=True
        ),
        1,
    ),
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
