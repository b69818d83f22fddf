"""A whole payment through two cells, then a search for its people in every column of both databases and in every log line.

The search is tried first on something that must be found, so that finding nothing means something.
"""

import base64
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from cells.backends.postgres import transaction
from cells.parties.models import BankAccount
from cells.payments import personal
from cells.payments.machine import Event, State
from cells.payments.submissions import JournalDesk
from cells.rails.rail import Payout, Settled
from cells.rails.remittance import Remittance
from tests.architecture.catalogue import read_catalogue
from tests.support.servers import CellDatabase
from tests.support.two_cells import HandCell, TwoCells, open_two_cells

PAYER, RECIPIENT = "Astrid Zzölvemark", "Wulandari Qistiputri"
ACCOUNT = "7719330048"
REMITTANCE = "Rent for Kemang, flat 7Q"
# What the payer of tests/support/two_cells.py has on file besides the name.
PAYERS_FACTS = ("P-88231177", "C-10021", "Storgatan")
OF_THE_PAYER = (PAYER, "Zzölvemark", *PAYERS_FACTS, REMITTANCE, "Kemang")
OF_THE_RECIPIENT = (RECIPIENT, "Qistiputri", ACCOUNT)


class Search:
    """Every value of every table of one database, as one heap of bytes."""

    def __init__(self, heap: bytes) -> None:
        self._heap = heap
        self._small = heap.lower()

    @classmethod
    async def of(cls, database: CellDatabase) -> "Search":
        connection = await asyncpg.connect(database.superuser)
        try:
            catalogue = await read_catalogue(connection)
            parts: list[bytes] = []
            for table in catalogue.tables:
                if table.parent is not None:
                    continue
                columns = [one for one in catalogue.columns if (one.schema, one.table) == (table.schema, table.name)]
                # A bytea as its bytes, anything else as its text: jsonb, arrays and uuids too.
                shown = ", ".join(f'"{one.name}"' if one.type == "bytea" else f'"{one.name}"::text' for one in columns)
                for row in await connection.fetch(f'select {shown} from {table.schema}."{table.name}"'):
                    parts += [
                        value if isinstance(value, bytes) else value.encode() for value in row if value is not None
                    ]
            return cls(b"\n".join(parts))
        finally:
            await connection.close()

    def finds(self, text: str) -> bool:
        """Whether it stands there: in any case, as JSON would escape it, in hex, or in base64 at any of its three offsets."""
        raw = text.encode()
        forms = {raw, text.encode("unicode_escape"), text.encode("utf-16-le"), raw.hex().encode()}
        cores = {base64.b64encode(bytes(shift) + raw)[4:-4] for shift in range(3)}
        # A few letters of base64 occur by chance in any ciphertext.
        return any(form.lower() in self._small for form in forms) or any(
            core in self._heap for core in cores if len(core) > 7
        )

    def all_of(self, *texts: str) -> list[str]:
        return [text for text in texts if self.finds(text)]


class Payment:
    """One payment of the two people above, taken step by step."""

    def __init__(self, cells: TwoCells, databases: list[CellDatabase]) -> None:
        self.eu, self.id = cells.eu, cells.id
        self.tenant = cells.tenant
        self.databases = databases

    async def accept(self) -> None:
        wallet = await self.eu.wallet(self.tenant, "EUR")
        await self.eu.deposit(wallet, 500_000, "sepa_instant")
        account = BankAccount(bank_code="014", account_number=ACCOUNT)
        recipient = await self.id.recipient(self.tenant, "IDR", account, RECIPIENT)
        payer = await self.eu.payer(self.tenant, PAYER)
        quote = await self.eu.quote(self.tenant, "EUR", "IDR", 100_000, "bi_fast")
        command = self.eu.acceptance(wallet, quote, recipient, payer)
        body = command.body
        sealed = personal.seal_remittance(
            self.eu.institution.vault, self.tenant.tenant_id, body.transfer_id, Remittance(text=REMITTANCE)
        )
        [answer] = await self.eu.ask(replace(command, body=replace(body, remittance=sealed)))
        assert answer.status == 202, answer
        self.transfer_id: str = body.transfer_id

    async def cross(self, origin: HandCell, destination: HandCell) -> None:
        await destination.admit(await origin.export())
        for receipt in await destination.receipts():
            await origin.take_receipt(receipt)

    async def pay_out(self) -> Payout:
        """By the real desk of the rail; what the scheme would be sent."""
        institution = self.id.institution
        desk = JournalDesk(self.id.spec, institution.pool, institution.vault, institution.router, None, "bi_fast")  # type: ignore[arg-type]
        await desk.enqueue([self.transfer_id])
        await desk.mark_asked([self.transfer_id])
        [payout] = await desk.prepare([self.transfer_id])
        assert isinstance(payout, Payout), payout
        answers = [(self.transfer_id, Settled("BIFAST-77", datetime.now(UTC)))]
        await desk.record(answers)
        await self.id.ask(*await desk.commands(answers))
        await desk.acknowledge([self.transfer_id])
        return payout

    async def searched(self) -> list[Search]:
        return [await Search.of(database) for database in self.databases]

    async def is_nowhere_in_the_clear(self) -> None:
        for database, search in zip(self.databases, await self.searched(), strict=True):
            found = search.all_of(*OF_THE_PAYER, *OF_THE_RECIPIENT)
            assert found == [], f"in the clear in the {database.region} cell: {found}"


@pytest.fixture
async def payment(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[Payment]:
    made: list[CellDatabase] = []

    def remembered(region: str) -> CellDatabase:
        made.append(cell_database(region))
        return made[-1]

    async with open_two_cells(remembered) as cells:
        yield Payment(cells, made)


async def test_nobodys_name_is_in_the_clear_in_any_table_or_log(
    payment: Payment, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await payment.accept()
    await payment.is_nowhere_in_the_clear()
    envelopes = await payment.eu.export()
    await payment.is_nowhere_in_the_clear()  # the outbox holds the sealed copy now
    await payment.id.admit(envelopes)
    await payment.is_nowhere_in_the_clear()
    for receipt in await payment.id.receipts():
        await payment.eu.take_receipt(receipt)
    payout = await payment.pay_out()
    await payment.cross(payment.id, payment.eu)
    assert (await payment.eu.transfer(payment.transfer_id)).state is State.COMPLETED
    assert (await payment.id.transfer(payment.transfer_id)).state is State.COMPLETED
    await payment.is_nowhere_in_the_clear()

    # The people did get where the law sends them: the scheme is told both names.
    assert (payout.debtor.name, payout.creditor.name) == (PAYER, RECIPIENT)
    assert payout.remittance == Remittance(text=REMITTANCE)
    assert payout.creditor.account is not None
    assert payout.creditor.account.number == ACCOUNT
    # And the search finds what is there to be found.
    for search in await payment.searched():
        assert search.all_of("Nusantara Pay", payment.transfer_id) == ["Nusantara Pay", payment.transfer_id]
    told = caplog.text.lower()
    assert [text for text in (*OF_THE_PAYER, *OF_THE_RECIPIENT) if text.lower() in told] == []
    assert repr(payout).count(PAYER) == repr(payout).count(RECIPIENT) == 0


async def test_the_search_sees_a_name_in_any_column_and_any_common_form(payment: Payment) -> None:
    await payment.accept()
    database = payment.databases[0]
    connection = await asyncpg.connect(database.superuser)
    for leak in (
        "update tenants set name = $1::text",
        "update transfers set metadata = jsonb_build_object('note', $1::text)",
        "update api_keys set scopes = array[$1::text]",
        "update sealed_records set ciphertext = convert_to($1::text, 'UTF8')",
        "update transfers set metadata = jsonb_build_object('note', encode(convert_to($1::text, 'UTF8'), 'base64'))",
        "update tenants set tier = encode(convert_to('x' || $1::text, 'UTF8'), 'hex')",
    ):
        transaction_ = connection.transaction()
        await transaction_.start()
        if "api_keys" in leak:
            await connection.execute("insert into api_keys (compliance_region, key_id, tenant_id, secret_sha256, scopes, label, credential_type) "
                                     "select compliance_region, 'key', tenant_id, $1, '{}', '', 'key' from tenants limit 1", bytes(32))  # fmt: skip
        assert not (await Search.of(database)).finds(PAYER)
        await connection.execute(leak, PAYER)
        await transaction_.commit()
        assert (await Search.of(database)).finds(PAYER), leak
        await connection.execute("update tenants set name = 'x', tier = 'growth'")
        await connection.execute("update transfers set metadata = '{}'")
        await connection.execute("update api_keys set scopes = '{}'")
        await connection.execute("update sealed_records set ciphertext = ''")
    await connection.close()


async def test_a_cell_keeps_nothing_of_the_person_at_the_other_end_even_sealed_for_itself(payment: Payment) -> None:
    """The payee's data never leave Indonesia; the payer's reach it once, and only the Indonesian vault opens them."""
    await payment.accept()
    await payment.cross(payment.eu, payment.id)
    kinds = {}
    for cell in (payment.eu, payment.id):
        async with transaction(cell.institution.pool) as connection:
            rows = await connection.fetch("select kind, count(*)::int as number from subjects group by kind")
            kinds[cell.spec.region] = {row["kind"]: row["number"] for row in rows}
    assert kinds == {"EU": {"payer": 1, "transfer": 1}, "ID": {"recipient": 1, "transfer": 1}}
    async with transaction(payment.id.institution.pool) as connection:
        opened = await personal.open_parties(connection, payment.id.institution.vault, [payment.transfer_id])
        assert opened[payment.transfer_id].payer.name == PAYER
        assert opened[payment.transfer_id].payee is None
        assert await personal.open_parties(connection, payment.eu.institution.vault, [payment.transfer_id]) == {}


async def test_the_sealed_copy_is_gone_from_the_outbox_once_receipted(payment: Payment) -> None:
    await payment.accept()
    await payment.cross(payment.eu, payment.id)
    async with transaction(payment.eu.institution.pool) as connection:
        assert await connection.fetchval("select count(*) from customs_outbox where envelope is not null") == 0
        assert await connection.fetchval("select count(*) from customs_outbox") == 1
    await payment.id.tell(await payment.id.transfer(payment.transfer_id), Event.RAIL_REFUSED, reason_code="AC04")
    await payment.cross(payment.id, payment.eu)
    async with transaction(payment.id.institution.pool) as connection:
        assert await connection.fetchval("select count(*) from customs_outbox where envelope is not null") == 0
