"""The tables batches and batch_lines. Multi-row statements inside the caller's transaction; nothing commits here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

from cells.backends.postgres import Connection, Read, Record
from cells.backends.rows import Rows
from cells.batches.batch import AT_REST, BATCH, WAITING_LINES, Batch, Fault, Line, LineState, State
from cells.journal import store_lives
from cells.journal.entry import Author
from cells.journal.life import Birth, Change
from residency.classes import Confidential, Public
from residency.errors import needed

_LINE = ", ".join(one.name for one in fields(Line))
_OPEN = [str(state) for state in State if state not in AT_REST and state is not State.SCHEDULED]
_WAITING = [str(state) for state in WAITING_LINES]


_LINES = Rows(
    "batch_lines",
    "line:integer state transfer_id recipient_id payer_id side amount_minor:bigint target_currency metadata:jsonb deadline:timestamptz"
    " fault:jsonb file_line:integer",
)
_MARKS = Rows("batch_lines", "line:integer state fault:jsonb quote_id source_minor:bigint")


class Mark(NamedTuple):
    """What becomes of a line: its state, why not, and the price that was locked for it."""

    line: int
    state: LineState
    fault: Fault | None = None
    quote_id: str | None = None
    source_minor: int | None = None


async def insert(connection: Connection, region: str, batch: Batch, lines: Sequence[Line], by: Author) -> bool:
    """A new batch with its lines; False, and nothing, where a batch that paid or may pay was made of the same file (`file_key`). One of two
    at a time waits for the other."""
    if not await store_lives.begin(connection, region, BATCH, [Birth(batch, BATCH.kind("created"), by)]):
        return False
    rows = [
        (
            one.line, one.state, one.transfer_id, one.recipient_id, one.payer_id, one.side, one.amount_minor, one.target_currency,
            dict(one.metadata), one.deadline, one.fault, one.file_line,
        )
        for one in lines
    ]  # fmt: skip
    await _LINES.insert(connection, rows, compliance_region=region, batch_id=batch.batch_id, tenant_id=batch.tenant_id)
    return True


async def made_of(connection: Connection, region: str, tenant_id: str, file_key: str) -> str | None:
    """The batch that was made of a file and that paid, or may still pay. One that failed or was cancelled has paid nothing."""
    found = await connection.fetchval(
        "select batch_id from batches where compliance_region = $1 and tenant_id = $2 and file_key = $3"
        " and state not in ('FAILED', 'CANCELLED')",
        region, tenant_id, file_key,
    )  # fmt: skip
    return None if found is None else str(found)


async def find(connection: Connection, region: str, batch_ids: Sequence[str]) -> dict[str, Batch]:
    """The batches among those ids that the connection's role may see."""
    return await store_lives.read(connection, region, BATCH, batch_ids)


async def lock(connection: Connection, region: str, batch_ids: Sequence[str]) -> dict[str, Batch]:
    """The same, held for this transaction; taken in one order."""
    return await store_lives.load(connection, region, BATCH, batch_ids)


async def page(connection: Connection, region: str, tenant_id: str, before_id: str | None, limit: int) -> list[Batch]:
    """A tenant's batches, newest first, before an id."""
    return await store_lives.fetch(
        connection, region, BATCH,
        "tenant_id = $2 and ($3::text is null or batch_id < $3) order by batch_id desc limit $4", tenant_id, before_id, limit,
    )  # fmt: skip


async def due(connection: Connection, region: str, after: str, limit: int, aside: Collection[str] = ()) -> Read[Batch]:
    """Batches that something can be done for now, by id, after that one: those under way, and the scheduled whose time has come."""
    return await store_lives.apart(
        connection, region, BATCH,
        """
        state not in ('COMPLETED', 'PARTIALLY_COMPLETED', 'FAILED', 'CANCELLED')
          and (state = any ($2::text[]) or coalesce(scheduled_for, now()) <= now()) and batch_id > $3
          and batch_id <> all ($5::text[])
        order by batch_id limit $4
        """,
        _OPEN, after, limit, list(aside),
    )  # fmt: skip


async def move(
    connection: Connection, region: str, batch: Batch, state: State, event: str, by: Author, *, fault: Fault | None = None,
    funding_minor: int | None = None, remainder_minor: int | None = None, beside: Mapping[str, Any] = MappingProxyType({}),
) -> Batch:  # fmt: skip
    """Bring a batch, which the caller has locked, to a state; what is not given stays. `beside`: see Change. The batch as it is then."""
    given: dict[str, Any] = {"fault": fault, "funding_minor": funding_minor, "remainder_minor": remainder_minor}
    now = replace(batch, state=state, **{name: one for name, one in given.items() if one is not None})
    await store_lives.append(connection, region, BATCH, [Change(batch, now, BATCH.kind(event), by, beside)])
    return replace(now, version=batch.version + 1)


async def cancel(connection: Connection, region: str, batch: Batch, by: Author) -> None:
    """Call off a batch, which the caller has locked, with every line of it that waits."""
    await move(connection, region, batch, State.CANCELLED, "cancelled", by)
    await give_up(connection, region, batch.batch_id)


async def give_up(connection: Connection, region: str, batch_id: str) -> None:
    """Nothing of what waits will be sent."""
    await connection.execute(
        "update batch_lines set state = 'NOT_SENT' where compliance_region = $1 and batch_id = $2 and state = any ($3::text[])",
        region, batch_id, _WAITING,
    )  # fmt: skip


async def lines_in(
    connection: Connection, region: str, batch_id: str, state: LineState, limit: int, *, priced: bool | None = None
) -> list[Line]:
    """Lines in a state, in their order; `priced`: only those whose price is locked, or is not. The caller has locked the batch."""
    rows = await connection.fetch(
        f"select {_LINE} from batch_lines where compliance_region = $1 and batch_id = $2 and state = $3"
        " and ($4::boolean is null or (quote_id is not null) = $4) order by line limit $5",
        region, batch_id, state, priced, limit,
    )  # fmt: skip
    return [_line(row) for row in rows]


async def mark(connection: Connection, region: str, batch_id: str, marks: Sequence[Mark]) -> None:
    """Write what becomes of lines; a price, once locked, stays."""
    if not marks:
        return
    await connection.execute(
        f"""
        update batch_lines l set state = n.state, fault = n.fault, quote_id = coalesce(n.quote_id, l.quote_id),
            source_minor = coalesce(n.source_minor, l.source_minor)
        from {_MARKS.source(3, "n")}
        where l.compliance_region = $1 and l.batch_id = $2 and l.line = n.line
        """,
        region, batch_id, *_MARKS.arguments(marks),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ready:
    """How many lines are READY, and what their locked prices add up to."""

    count: Annotated[int, Public]
    source_minor: Annotated[int, Confidential]


async def ready(connection: Connection, region: str, batch_id: str) -> Ready:
    row = await connection.fetchrow(
        "select count(*), coalesce(sum(source_minor), 0) from batch_lines"
        " where compliance_region = $1 and batch_id = $2 and state = 'READY'",
        region, batch_id,
    )  # fmt: skip
    row = needed(row, "a count is one row")
    return Ready(row[0], int(row[1]))


async def unsent(connection: Connection, region: str, batch_id: str) -> list[str]:
    """The ids that were minted for lines which never became payments."""
    rows = await connection.fetch(
        "select transfer_id from batch_lines where compliance_region = $1 and batch_id = $2 and transfer_id is not null"
        " and state in ('INVALID', 'REFUSED', 'NOT_SENT')",
        region, batch_id,
    )  # fmt: skip
    return [row[0] for row in rows]


def _line(row: Record) -> Line:
    return Line(**{**row, "state": LineState(row["state"]), "fault": _fault(row)})


def _fault(row: Record) -> Fault | None:
    return None if row["fault"] is None else Fault(**row["fault"])
