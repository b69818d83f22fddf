"""A payment whose attestation is missing, forged or of other facts than the law asks for is refused on record at a live border, and its
money goes back; the corridor goes on."""

import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from actors.workers.admitter import Admitter
from actors.workers.exporter import Exporter
from cells.backends.nats import Outgoing
from cells.backends.postgres import transaction
from cells.compliance.checker import Verdict
from cells.ledger.codes import Code
from cells.payments import border
from cells.payments.machine import State
from residency.envelope import OpenedEnvelope, open_envelope, seal_and_sign, unseal
from residency.ids import number
from residency.links import Corridor
from residency.messages import Attestation, Instructed
from tests.integration.border.test_set_aside_border import Door, accepted, running
from tests.support.brokers import TRANSIT, Network
from tests.support.servers import scratch_directory
from tests.support.two_cells import TwoCells, open_two_cells
from tests.support.waiting import until

Change = Callable[[Instructed], Instructed]


@pytest.fixture
async def cells(cell_database) -> AsyncIterator[TwoCells]:
    async with open_two_cells(cell_database) as opened:
        yield opened


@pytest.fixture
async def network() -> AsyncIterator[Network]:
    network = Network(scratch_directory(), ["eu1", "id1"])
    network.start(TRANSIT, "eu1", "id1")
    yield network
    await network.close()


def signed_anew(cells: TwoCells, envelope: bytes, change: Change) -> bytes:
    """What whoever holds the key of the origin could send in place of an envelope."""
    directory = cells.eu.spec.directory
    opened = open_envelope(envelope, directory)
    assert isinstance(opened.message, Instructed)
    parties = unseal(opened, cells.id.institution.keys)
    keys = cells.eu.institution.keys
    return seal_and_sign(change(opened.message), parties, 1, keys, directory, to_cell="id-1").data


def unattested(message: Instructed) -> Instructed:
    told = {name: getattr(message, name) for name in type(message).model_fields if name != "screening"}
    return Instructed.model_construct(**told)


def attested(**other: object) -> Change:
    """The same payment under another attestation, which the message's own type may forbid."""

    def change(message: Instructed) -> Instructed:
        facts = {name: getattr(message.screening, name) for name in Attestation.model_fields} | other
        return message.model_copy(update={"screening": Attestation.model_construct(**facts)})

    return change


def written_over(envelope: bytes, opened: OpenedEnvelope) -> bytes:
    """The bytes of an envelope with other versions of the lists, under the old signature."""
    assert isinstance(opened.message, Instructed)
    date = next(iter(opened.message.screening.lists.values()))
    forged = envelope.replace(date.encode(), ("9" * len(date)).encode())
    assert forged != envelope
    return forged


async def test_what_is_not_attested_as_the_law_asks_is_refused_on_record(
    cells: TwoCells, network: Network, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    payments = [one for one, _ in await accepted(cells, 4)]
    good = payments[-1]
    others = {"eu-consolidated": "2026-11-01", "uk-sanctions-list": "2026-11-01"}
    soon = datetime.now(UTC) + timedelta(hours=1)
    made: list[dict[str, object]] = [{"lists": others}, {"lists": {}}, {"at": soon}, {}]
    plain = border.crossing_attestation

    def faulty(verdict: Verdict, *, reviewed: bool) -> Attestation:
        return plain(verdict, reviewed=reviewed).model_copy(update=made.pop(0))

    monkeypatch.setattr(border, "crossing_attestation", faulty)
    admitted = await cells.eu.export()
    original = admitted[-1]
    # Refused at the gate: they use up no number of the corridor, so each claims the first.
    refused = [
        signed_anew(cells, original, unattested),
        signed_anew(cells, original, attested(result="review")),
        signed_anew(cells, original, attested(lists=others | {"id-dttot": "cleared of Astrid Lindqvist-Marker"})),
        written_over(original, open_envelope(original, cells.eu.spec.directory)),
    ]
    origin, destination = await network.bus("eu1"), await network.bus("id1")
    subject = Corridor("eu1", "id1").subject("instructed")
    institution = cells.id.institution
    admitter = Admitter(institution, destination, "eu-1", Door(cells.id), Exporter(institution, destination))  # type: ignore[arg-type]

    async def here() -> set[str]:
        async with transaction(institution.pool) as connection:
            return {row["transfer_id"] for row in await connection.fetch("select transfer_id from transfers")}

    async def is_paid_out() -> bool:
        return good in await here() and (await cells.id.transfer(good)).state is State.PENDING_RAIL

    with caplog.at_level(logging.ERROR, "kovra.border"):
        async with running(admitter):
            sent = [*refused, *admitted]
            await origin.publish_batch([Outgoing(subject, f"m{place}", one) for place, one in enumerate(sent)])
            await until(is_paid_out)
    assert admitter.health()["refused"] == len(refused)
    assert await here() == set(payments)
    async with transaction(institution.pool) as connection:
        reasons = await connection.fetch("select reason from customs_log where direction = 'refused' order by position")
    assert [row["reason"] for row in reasons] == ["schema", "schema", "schema", "signature"]
    assert caplog.text.count("refused an envelope") == len(refused)
    for one in payments[:-1]:
        leg = await cells.id.transfer(one)
        assert (leg.state, leg.reason_code) == (State.DESTINATION_REJECTED, "RR04")
    moved = {one.user_data_128 for one in await cells.id.ledger.query_postings(limit=1000) if one.code == Code.PAYOUT}
    assert moved == {number(good)}, "nothing moves for what is not attested"
    assert cells.id.rails.transfer_ids == [good]

    await cells.eu.admit(await cells.id.export())
    states = [(await cells.eu.transfer(one)).state for one in payments]
    assert states == [State.REFUNDED, State.REFUNDED, State.REFUNDED, State.INSTRUCTED]
