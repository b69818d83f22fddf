"""The ten invariants over two real cells: held at rest, told as in flight while payments move, and not checked without the peer."""

from collections.abc import AsyncIterator

import pytest

from cells.kit.money import amount_text
from cells.payments.machine import Event
from cells.reconciliation.report import Report, Status
from tests.support.reconciled_cells import Reconciled, open_reconciled

CROSS_CELL = {"L4", "L7", "L8"}


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[Reconciled]:
    async with open_reconciled(cell_database) as opened:
        yield opened


def statuses(report: Report) -> dict[str, Status]:
    assert [one.invariant for one in report.results] == [f"L{number}" for number in range(1, 12)]
    return {one.invariant: one.status for one in report.results}


def of(report: Report, invariant: str) -> dict[str, int]:
    return dict(next(one for one in report.results if one.invariant == invariant).moving)


async def test_all_of_them_hold_once_payments_of_every_ending_are_at_rest(cells: Reconciled) -> None:
    await cells.complete(await cells.abroad())
    await cells.refund(await cells.abroad(50_000))
    transfer = await cells.at_home()
    await cells.eu.tell(transfer, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    refused = await cells.at_home(20_000)
    await cells.eu.tell(refused, Event.RAIL_REFUSED, reason_code="AC04")
    cancelled = await cells.abroad(30_000)
    await cells.eu.tell(cancelled, Event.CANCEL)
    await cells.deposit(12_345)

    report = await cells.report()
    assert set(statuses(report).values()) == {Status.HELD}, report.to_json()
    assert report.ok
    assert report.at_rest


async def test_every_moment_of_a_payment_is_in_flight_and_none_is_a_fault(cells: Reconciled) -> None:
    async def moment(*expected: str) -> Report:
        report = await cells.report()
        assert report.ok, report.to_json()
        assert not report.at_rest
        assert set(expected) <= of(report, "L3").keys() | of(report, "L4").keys() | of(report, "L7").keys(), (
            report.to_json()
        )
        return report

    transfer = await cells.abroad()
    await moment("origin FUNDS_HELD", "FUNDS_HELD/not there")
    envelopes = await cells.eu.export()
    await moment("origin INSTRUCTED", "INSTRUCTED/not there", "envelopes from eu-1 to id-1")
    await cells.id.admit(envelopes, act=False)
    await moment("destination ADMITTED", "INSTRUCTED/ADMITTED")
    leg = await cells.id.transfer(transfer.transfer_id)
    await cells.id.tell(leg, Event.TAKEN)
    await moment("destination PENDING_RAIL", "INSTRUCTED/PENDING_RAIL")
    await cells.id.tell(leg, Event.RAIL_SETTLED, scheme_reference="BIFAST-1")
    report = await moment("destination SETTLED", "INSTRUCTED/SETTLED")
    [(settled, count)] = of(report, "L8").items()
    assert count == 1
    assert amount_text(transfer.target_amount, "IDR") in settled
    answers = await cells.id.export()
    await moment("origin INSTRUCTED", "INSTRUCTED/COMPLETED", "envelopes from id-1 to eu-1")
    await cells.eu.admit(answers)
    assert (await cells.report()).at_rest


async def test_in_region_payments_are_in_flight_until_the_rail_speaks(cells: Reconciled) -> None:
    transfer = await cells.at_home()
    report = await cells.report()
    assert of(report, "L3") == {"in_region PENDING_RAIL": 1}
    assert report.ok
    await cells.eu.tell(transfer, Event.RAIL_SETTLED, scheme_reference="SCT-1")
    assert (await cells.report()).at_rest


async def test_one_cell_alone_does_not_vouch_for_what_takes_two(cells: Reconciled) -> None:
    await cells.complete(await cells.abroad())
    for one in (cells.eu, cells.id):
        found = statuses(await cells.report(one))
        assert {name for name, status in found.items() if status is Status.NOT_CHECKED} == CROSS_CELL
        assert {status for name, status in found.items() if name not in CROSS_CELL} == {Status.HELD}
