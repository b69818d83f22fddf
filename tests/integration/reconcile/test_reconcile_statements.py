"""L9 against the rails' own statements: what the scheme says of our money there, beside what our books say."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest

from cells.backends.postgres import transaction
from cells.kit.money import amount_text
from cells.payments.machine import Event
from cells.rails.console import SchemeConsole, Statement
from cells.rails.later import Movement
from cells.rails.rail import Account, Party
from cells.reconciliation.report import Status
from cells.reconciliation.statements import SandboxTeller
from cells.spec import CellSpec, SchemeSettings
from tests.support.reconciled_cells import Reconciled, open_reconciled
from tests.support.scheme_gateway import listening
from tests.support.schemes import RunningSchemes
from tests.support.waiting import until


@dataclass
class Told:
    """A teller that says what it is told to; each asking moves `in_minor` by `step`."""

    statement: Statement
    step: int = 0
    booked: Sequence[Movement] | None = None

    async def statements(self) -> Sequence[Statement]:
        self.statement = replace(self.statement, in_minor=self.statement.in_minor + self.step)
        return [self.statement]

    async def movements(self, rail: str) -> Sequence[Movement] | None:
        assert rail == self.statement.rail
        return self.booked


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[Reconciled]:
    async with open_reconciled(cell_database) as opened:
        yield opened


def says(cells: Reconciled, incoming: int, outgoing: int, step: int = 0) -> None:
    cells.tellers["eu-1"] = Told(Statement("sepa_instant", "EUR", incoming, outgoing), step)


async def test_a_statement_that_is_the_books_balance_holds(cells: Reconciled) -> None:
    transfer = await cells.at_home()
    await cells.eu.tell(transfer, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    says(cells, 500_000, transfer.target_amount)
    assert (await cells.report()).at_rest


@pytest.mark.parametrize("off_by", [-1, 1])
async def test_one_cent_off_is_named_with_the_rail(cells: Reconciled, off_by: int) -> None:
    says(cells, 500_000 + off_by, 0)
    [found] = await cells.findings("L9")
    assert "sepa_instant" in found.subject
    assert (found.expected, found.found) == ("5000.00 EUR", amount_text(500_000 + off_by, "EUR"))


async def test_a_payment_that_was_paid_and_given_back_shows_in_the_statement(cells: Reconciled) -> None:
    transfer = await cells.at_home()
    await cells.eu.tell(transfer, Event.RAIL_REFUSED, reason_code="AC04")
    says(cells, 500_000, transfer.target_amount)
    [found] = await cells.findings("L9")
    assert found.found == amount_text(500_000 - transfer.target_amount, "EUR")


def booked(reference: str, amount: int, *, credit: bool = True) -> Movement:
    return Movement(reference, "NOTPROVIDED", amount, "EUR", credit, date(2026, 11, 20), "PMNT/RCDT/ESCT")


async def references(cells: Reconciled) -> list[tuple[str, str]]:
    async with transaction(cells.eu.institution.pool) as connection:
        rows = await connection.fetch("select collection_id, scheme_reference from collections order by collection_id")
    return [(row[0], row[1]) for row in rows]


async def test_a_credit_that_the_schemes_own_books_do_not_know_is_named(cells: Reconciled) -> None:
    await cells.deposit(7_000)
    await cells.deposit(900)
    first, second, third = await references(cells)
    known = [booked(first[1], 500_000), booked(second[1], 7_000, credit=False), booked(third[1], 800)]
    cells.tellers["eu-1"] = Told(Statement("sepa_instant", "EUR", 500_800, 7_000), booked=known)
    statement, *strange = await cells.findings("L9")
    assert statement.subject == "statement of sepa_instant"
    assert [one.subject for one in strange] == [f"credit {name} ({ref})" for name, ref in (second, third)]
    assert ["do not know" in one.what for one in strange] == [True, False]
    assert [(one.expected, one.found) for one in strange] == [
        ("70.00 EUR in its statement", "no such credit there"),
        ("9.00 EUR in its statement", "8.00 EUR"),
    ]


async def test_credits_are_looked_for_only_where_the_statement_differs_and_is_given(cells: Reconciled) -> None:
    cells.tellers["eu-1"] = Told(Statement("sepa_instant", "EUR", 500_000, 0), booked=[])
    assert (await cells.report()).at_rest
    cells.tellers["eu-1"] = Told(Statement("sepa_instant", "EUR", 500_001, 0))
    assert len(await cells.findings("L9")) == 1


@pytest.mark.writes_by_hand
async def test_the_sandbox_scheme_says_which_credits_it_has(cells: Reconciled, schemes: RunningSchemes) -> None:
    async with listening(schemes), SchemeConsole(schemes.connection("sepa_instant")) as console:
        known = await console.collect(7_000, "EUR", Account("iban", "DE89370400440532013000"), Party("Sandbox Payer"))

        async def accepted() -> bool:
            return bool((await console.collection(known))["status"] == "accepted")

        await until(accepted)
    await cells.tamper(
        cells.eu, "update collections set scheme_reference = $1, amount = 7000 where amount = 500000", known
    )
    await cells.deposit(900)
    (_, (stranger, reference)) = await references(cells)
    reached = SchemeSettings(url=f"http://127.0.0.1:{schemes.port}/sepa_instant", secret="secret of sepa_instant")
    settings = cells.running(cells.eu).settings.model_copy(update={"schemes": {"sepa_instant": reached}})
    cells.tellers["eu-1"] = SandboxTeller(
        CellSpec(Path("/nowhere"), cells.eu.spec.entry, cells.eu.spec.directory, settings)
    )
    found = [one.subject for one in await cells.findings("L9") if one.subject.startswith("credit ")]
    assert found == [f"credit {stranger} ({reference})"]


async def test_what_the_rail_may_have_paid_already_is_in_flight(cells: Reconciled) -> None:
    transfer = await cells.at_home()
    for paid in (0, transfer.target_amount):
        says(cells, 500_000, paid)
        report = await cells.report()
        assert report.ok, report.findings
    says(cells, 500_000, transfer.target_amount + 1)
    assert await cells.findings("L9")


async def test_a_statement_that_moves_while_it_is_read_is_no_witness(cells: Reconciled) -> None:
    says(cells, 900_000, 0, step=1)
    assert (await cells.report()).ok


async def test_a_rail_that_is_not_asked_is_said(cells: Reconciled) -> None:
    report = await cells.report()
    [l9] = [one for one in report.results if one.invariant == "L9"]
    assert l9.status is Status.HELD
    assert any("no statement from sepa_instant" in note for note in l9.notes)


async def test_the_sandbox_scheme_is_asked_and_a_silent_one_left_out(
    cells: Reconciled, schemes: RunningSchemes
) -> None:
    settings = cells.running(cells.eu).settings
    reached = {
        "sepa_instant": SchemeSettings(
            url=f"http://127.0.0.1:{schemes.port}/sepa_instant", secret="secret of sepa_instant"
        ),
        "faster_payments": SchemeSettings(url="http://127.0.0.1:1/faster_payments", secret="x"),
    }
    spec = CellSpec(
        Path("/nowhere"), cells.eu.spec.entry, cells.eu.spec.directory, settings.model_copy(update={"schemes": reached})
    )
    assert [(one.rail, one.currency) for one in await SandboxTeller(spec).statements()] == [("sepa_instant", "EUR")]
