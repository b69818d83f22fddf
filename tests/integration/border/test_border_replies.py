"""Three cells: what a cell says of a payment that it was not instructed for changes nothing, is on record, and stops nobody."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from cells.backends.postgres import transaction
from cells.customs import store as customs
from cells.customs.admit import Admitted
from cells.parties.models import BankAccount
from cells.payments.machine import Event, State
from cells.payments.transfer import Transfer
from cells.tenants.tenant import Wallet, mint_tenant
from residency.crossing import BorderMessage
from residency.envelope import seal_and_sign
from residency.messages import Rejected, Settled
from tests.support.border import World, world_of_today
from tests.support.servers import CellDatabase
from tests.support.two_cells import HandCell, open_hand_cell

HELD = {"available_minor": 400_000, "held_minor": 100_000}


@dataclass
class Scene:
    """A payment from the EU that Indonesia was instructed to pay out, and Britain looking on."""

    world: World
    eu: HandCell
    id: HandCell
    uk: HandCell
    wallet: Wallet
    transfer: Transfer

    def signed(self, by: str, message: BorderMessage, sequence: int = 1) -> bytes:
        """Properly signed by that cell, past its own export gate: what a corrupted cell could send."""
        keys = self.world.keys[by]
        return seal_and_sign(message, None, sequence, keys, self.world.directory, to_cell="eu-1").data

    def settled(self, instruction_hash: str, amount: int | None = None) -> Settled:
        return Settled(
            transfer_id=self.transfer.transfer_id,
            instruction_hash=instruction_hash,
            currency="IDR",
            amount_minor=amount or self.transfer.target_amount,
            rail="bi_fast",
            scheme_reference="NEVERHAPPENED",
            settled_at=datetime.now(UTC),
        )

    def rejected(self, instruction_hash: str) -> Rejected:
        return Rejected(
            transfer_id=self.transfer.transfer_id,
            instruction_hash=instruction_hash,
            stage="rail",
            reason_code="AC04",
            rejected_at=datetime.now(UTC),
        )

    async def instruction_hash(self) -> str:
        sha256 = (await self.eu.transfer(self.transfer.transfer_id)).instruction_sha256
        assert sha256 is not None
        return sha256.hex()

    async def reasons(self) -> list[tuple[str, str, str]]:
        """What the EU's customs log holds of what came in."""
        async with transaction(self.eu.institution.pool) as connection:
            entries = await customs.read_log(connection, self.eu.spec)
        crossings = [entry.crossing for entry in entries if entry.crossing.direction != "exported"]
        return [(one.direction, one.from_cell, one.reason) for one in crossings]

    async def changes_nothing(self, envelope: bytes, *, fault: str = "not-instructed") -> None:
        before = await self.eu.transfer(self.transfer.transfer_id)
        [admission] = await self.eu.admit([envelope])
        assert isinstance(admission, Admitted)
        assert admission.faults == ((fault,) if fault else ())
        assert await self.eu.transfer(self.transfer.transfer_id) == before
        assert await self.eu.balance(self.wallet) == HELD

    async def finishes(self) -> None:
        """The cell that was instructed still has its word."""
        leg = await self.id.transfer(self.transfer.transfer_id)
        await self.id.tell(leg, Event.RAIL_SETTLED, scheme_reference="BIFAST-1")
        await self.eu.admit(await self.id.export())
        done = await self.eu.transfer(self.transfer.transfer_id)
        assert (done.state, done.scheme_reference) == (State.COMPLETED, "BIFAST-1")
        assert await self.eu.balance(self.wallet) == {"available_minor": 400_000, "held_minor": 0}


@pytest.fixture
async def scene(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[Scene]:
    world = world_of_today()
    tenant = mint_tenant("Nusantara Pay", world.directory.cell("eu-1"), tier="growth")
    async with (
        open_hand_cell(world, "eu-1", cell_database("EU"), [tenant]) as eu,
        open_hand_cell(world, "id-1", cell_database("ID"), [tenant]) as indonesia,
        open_hand_cell(world, "uk-1", cell_database("UK"), [tenant]) as uk,
    ):
        wallet = await eu.wallet(tenant, "EUR")
        await eu.deposit(wallet, 500_000, "sepa_instant")
        recipient = await indonesia.recipient(tenant, "IDR", BankAccount(bank_code="014", account_number="1234567890"))
        quote = await eu.quote(tenant, "EUR", "IDR", 100_000, "bi_fast")
        answer = await eu.accept(wallet, quote, recipient, await eu.payer(tenant))
        yield Scene(world, eu, indonesia, uk, wallet, await eu.transfer(answer.body["id"]))


async def test_a_third_cells_word_changes_nothing_and_is_on_record(scene: Scene) -> None:
    await scene.id.admit(await scene.eu.export())
    instruction = await scene.instruction_hash()
    await scene.changes_nothing(scene.signed("uk-1", scene.settled(instruction), 1))
    await scene.changes_nothing(scene.signed("uk-1", scene.rejected(instruction), 2))
    assert await scene.reasons() == [("admitted", "uk-1", "not-instructed")] * 2
    await scene.finishes()


async def test_the_right_cell_must_name_the_right_instruction(scene: Scene) -> None:
    await scene.id.admit(await scene.eu.export())
    await scene.changes_nothing(scene.signed("id-1", scene.settled("ab" * 32), 1))
    assert await scene.reasons() == [("admitted", "id-1", "not-instructed")]


async def test_a_settlement_before_the_instruction_changes_nothing(scene: Scene) -> None:
    """The destination cannot end what it was not asked for: the funds are held, and nothing has been exported."""
    await scene.changes_nothing(scene.signed("id-1", scene.settled("00" * 32), 1))
    held = await scene.eu.transfer(scene.transfer.transfer_id)
    assert held.state is State.FUNDS_HELD


async def test_a_settlement_of_another_amount_neither_posts_nor_voids(scene: Scene) -> None:
    await scene.id.admit(await scene.eu.export())
    settled = scene.settled(await scene.instruction_hash(), amount=scene.transfer.target_amount - 1)
    await scene.changes_nothing(scene.signed("id-1", settled, 1), fault="")


async def test_an_answer_said_twice_counts_once(scene: Scene) -> None:
    await scene.id.admit(await scene.eu.export())
    leg = await scene.id.transfer(scene.transfer.transfer_id)
    await scene.id.tell(leg, Event.RAIL_SETTLED, scheme_reference="BIFAST-1")
    said = await scene.id.export()
    await scene.eu.admit(said)
    done = await scene.eu.transfer(scene.transfer.transfer_id)
    assert done.state is State.COMPLETED
    # The same bytes again; then the opposite, under the next number, by the right cell with the right hash.
    await scene.eu.admit(said)
    await scene.eu.admit([scene.signed("id-1", scene.rejected(await scene.instruction_hash()), 2)])
    after = await scene.eu.transfer(scene.transfer.transfer_id)
    assert (after.state, after.version) == (done.state, done.version)
    assert await scene.eu.balance(scene.wallet) == {"available_minor": 400_000, "held_minor": 0}
