"""Findings name money with its currency: no figure of any rule is in bare minor units."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cells.batches.batch import State as BatchState
from cells.kit.money import CURRENCIES
from cells.ledger import chart
from cells.ledger.chart import AccountType
from cells.ledger.codes import Code, Phase
from cells.ledger.entry import Posting
from cells.payments.machine import Leg, State
from cells.reconciliation.batches import BatchFacts, batch_findings
from cells.reconciliation.fold import Figures
from cells.reconciliation.legs import LegFacts, QuoteFacts
from cells.reconciliation.payments import leg_findings, pair_findings
from cells.reconciliation.postings import Expected, differences, missing_findings, stray_finding
from cells.reconciliation.report import Finding
from cells.reconciliation.returns import Came
from tests.support.money_forms import bare_amounts

EUR = CURRENCIES["EUR"].number
WALLET = chart.wallet(chart.tenant_owner(7), EUR)
LEG = LegFacts(
    "tr_eu1_x", Leg.ORIGIN, State.COMPLETED, "eu-1", "id-1", "EUR", "IDR", 100_000, 450, 150, 1_700_000, 2_500, 1,
    QuoteFacts(100_001, 451, 151, 1_700_100, 2_600),
)  # fmt: skip
RETURNED = Came(1_697_600, 1_697_500, 99_000, 440, 140)


def _of_legs() -> Iterator[Finding]:
    for kind, state in (
        (Leg.ORIGIN, State.COMPLETED),
        (Leg.DESTINATION, State.COMPLETED),
        (Leg.DESTINATION, State.LOST),
    ):
        for code in Code:
            for phase in Phase:
                leg = replace(LEG, leg=kind, state=state, applied={phase: {code: 4_711}}, beside={phase: {code: 815}})
                yield from leg_findings("eu-1", [leg, replace(leg, came=RETURNED)])
    there = replace(LEG, leg=Leg.DESTINATION)
    yield from pair_findings("eu-1", "id-1", [LEG], {LEG.transfer_id: replace(there, target=1_700_001)})[0]
    yield from pair_findings("eu-1", "id-1", [replace(LEG, came=RETURNED)], {LEG.transfer_id: there})[0]


def _of_batches() -> Iterator[Finding]:
    wrong = BatchFacts("bat_eu1_x", BatchState.COMPLETED, WALLET, 1_000, 100, 1_001, 901, 3, 902, 2, 903, 904, 905)
    yield from batch_findings("eu-1", [wrong])


def _of_postings() -> Iterator[Finding]:
    one = Posting(77, WALLET, chart.platform(AccountType.FEE_REVENUE, EUR), 4_711, EUR, Code.FEE)
    yield from differences("eu-1", Expected(replace(one, amount=815), "tr_eu1_x", "hold", "applied"), one)
    yield from missing_findings("eu-1", [Expected(one, "tr_eu1_x", "hold", "applied")], {})
    yield stray_finding("eu-1", one, "tr_eu1_x")


@pytest.mark.parametrize(("source", "at_least"), [(_of_legs, 100), (_of_batches, 5), (_of_postings, 3)])
def test_no_finding_has_a_bare_amount(source, at_least: int) -> None:
    found = list(source())
    assert len(found) >= at_least
    assert [one for one in found if bare_amounts(one)] == []


def test_figures_and_ledgers_are_shown_in_the_currency_of_their_account() -> None:
    assert (
        Figures(5, 10_000, 0, 7).text(WALLET)
        == "debits 100.00 EUR (+0.05 EUR pending), credits 0.07 EUR (+0.00 EUR pending)"
    )
    assert chart.ledger_amount(4_711, EUR) == "47.11 EUR"
    assert chart.ledger_amount(4_711, 999) == "4711 in unknown ledger 999"
    # Held against what this test must find.
    assert bare_amounts(Finding("L9", ("eu-1",), "x", "balance", "at most 500000", "0.05 EUR")) == ["500000"]
