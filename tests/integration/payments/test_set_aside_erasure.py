"""One row that cannot be erased leaves no other readable: it is set aside, named, and erased once it is released."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from actors.workers.keeper import Keeper
from cells.backends.postgres import transaction
from cells.rails import store_messages
from cells.rails.store_messages import WireMessage
from tests.integration.api.test_api_suspense import host_of
from tests.integration.payments.test_set_aside import holds, release, running
from tests.support.api_cell import ApiCell, open_api_cell
from tests.support.poison import spoil
from tests.support.servers import CellDatabase
from tests.support.waiting import until


@pytest.fixture
def database(cell_database) -> CellDatabase:
    return cell_database("EU")


@pytest.fixture
async def cell(database: CellDatabase, schemes, tmp_path) -> AsyncIterator[ApiCell]:
    async with open_api_cell(tmp_path, database, schemes) as opened:
        yield opened


async def test_what_cannot_be_erased_keeps_nothing_else_readable(cell: ApiCell, database: CellDatabase) -> None:
    payers = [await cell.payer() for _ in range(3)]
    now = datetime.now(UTC)
    host = host_of(cell)
    messages = [
        WireMessage("sepa_instant", "received", "pacs.008.001.08", (name,), now, f"<Nm>{name}</Nm>".encode())
        for name in ("one", "two", "three")
    ]
    async with transaction(cell.parts.writer) as connection:
        await store_messages.keep(connection, host.vault, messages)
    position = "(select min(position) from rail_messages)"
    await spoil(
        database,
        "update subjects set erase_after = now()",
        "update rail_messages set erase_after = now()",
        f"alter table subjects add constraint fault check (subject_id <> '{payers[0]}' or erased_at is null)",
        "create function fault() returns trigger language plpgsql as"
        f" $$ begin if new.position = {position} then raise 'no'; end if; return new; end $$",
        "create trigger fault before update of wrapped_key on rail_messages for each row execute function fault()",
    )
    keeper = Keeper(host)
    async with running(keeper) as keeping:

        async def left() -> list[list[Any]]:
            async with transaction(cell.parts.writer) as connection:
                return [
                    [
                        row[0]
                        for row in await connection.fetch(f"select {key} from {table} where wrapped_key is not null")
                    ]
                    for table, key in (("subjects", "subject_id"), ("rail_messages", "position"))
                ]

        async def one_of_each() -> bool:
            return [len(found) for found in await left()] == [1, 1]

        await until(one_of_each)
        subjects, kept = await left()
        named = {f"erase:subjects:{payers[0]}", f"erase:rail_messages:{kept[0]}"}
        assert subjects == payers[:1]
        await until(holds(cell.parts.writer, named))
        assert not keeping.done()
    await spoil(database, "alter table subjects drop constraint fault", "drop trigger fault on rail_messages")
    for one in named:
        await release(cell.parts.writer, one)
    async with running(Keeper(host)):
        await until(holds(cell.parts.writer, set()))
        assert await left() == [[], []]
