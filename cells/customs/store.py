"""The customs log and the corridors (migration 0020). SQL only; every function is one or two multi-row
statements inside the caller's transaction.

Lock order: the head's row, then corridor rows by peer. Export, admission and receipts take them in that
order, so they cannot deadlock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cells.backends.postgres import Connection
from cells.backends.rows import Rows
from cells.customs.chain import Crossing, CustomsEntry, chain_name
from cells.kit.hashchain import Head, extend, genesis
from cells.spec import CellSpec
from residency.envelope import EMPTY_ROLL
from residency.errors import needed


@dataclass(frozen=True, slots=True)
class CorridorState:
    """How far both directions towards one peer have come."""

    exported_sequence: int
    exported_roll: bytes
    admitted_sequence: int
    admitted_roll: bytes


_ROWS = Rows(
    "customs_log",
    "position:bigint direction from_cell to_cell kind sequence:bigint transfer_id envelope_sha256:bytea allow_list:integer"
    " crossed_fields:text[] reason at:timestamptz previous_hash:bytea entry_hash:bytea",
)
_EXPORTED = Rows("customs_corridors", "peer exported_sequence:bigint exported_roll:bytea")
_ADMITTED = Rows("customs_corridors", "peer admitted_sequence:bigint admitted_roll:bytea")
_SEQUENCES = Rows("customs_log", "from_cell sequence:bigint")


async def lock_head(connection: Connection, spec: CellSpec) -> Head:
    """The chain's head, held until the transaction ends: the one lock of the border."""
    select = "select position, hash from customs_head where compliance_region = $1 for update"
    row = await connection.fetchrow(select, spec.region)
    if row is None:
        await connection.execute(
            """
            insert into customs_head (compliance_region, position, hash) values ($1, 0, $2)
            on conflict do nothing
            """,
            spec.region,
            genesis(chain_name(spec.name)).hash,
        )
        row = needed(await connection.fetchrow(select, spec.region), "the head of the customs log was just written")
    return Head(row["position"], row["hash"])


async def read_head(connection: Connection, spec: CellSpec) -> Head:
    """The chain's head, not locked; the genesis while nothing has crossed."""
    row = await connection.fetchrow("select position, hash from customs_head where compliance_region = $1", spec.region)
    return genesis(chain_name(spec.name)) if row is None else Head(row["position"], row["hash"])


async def append(
    connection: Connection, spec: CellSpec, head: Head, crossings: Sequence[Crossing]
) -> list[CustomsEntry]:
    """Append to the log and move the head, which the caller has locked."""
    if not crossings:
        return []
    heads = extend(head, [crossing.body() for crossing in crossings])
    previous = [head, *heads[:-1]]
    entries = [
        CustomsEntry(now.sequence, crossing, before.hash, now.hash)
        for now, before, crossing in zip(heads, previous, crossings, strict=True)
    ]
    rows = [
        (entry.position, one.direction, one.from_cell, one.to_cell, one.kind, one.sequence, one.transfer_id, one.envelope_sha256,
         one.allow_list, one.crossed_fields, one.reason, one.at, entry.previous_hash, entry.entry_hash)
        for entry, one in zip(entries, crossings, strict=True)
    ]  # fmt: skip
    await _ROWS.insert(connection, rows, compliance_region=spec.region)
    await connection.execute(
        "update customs_head set position = $2, hash = $3 where compliance_region = $1",
        spec.region,
        heads[-1].sequence,
        heads[-1].hash,
    )
    return entries


async def read_log(connection: Connection, spec: CellSpec, after: int = 0, limit: int = 10_000) -> list[CustomsEntry]:
    """Entries after position `after`, in order, at most `limit`."""
    rows = await connection.fetch(
        "select * from customs_log where compliance_region = $1 and position > $2 order by position limit $3",
        spec.region,
        after,
        limit,
    )
    return [CustomsEntry.from_mapping(dict(row)) for row in rows]


async def log_of_transfer(connection: Connection, spec: CellSpec, transfer_id: str) -> list[CustomsEntry]:
    """What crossed, or was refused, for one payment."""
    rows = await connection.fetch(
        "select * from customs_log where compliance_region = $1 and transfer_id = $2 order by position",
        spec.region,
        transfer_id,
    )
    return [CustomsEntry.from_mapping(dict(row)) for row in rows]


async def lock_corridors(connection: Connection, spec: CellSpec, peers: Iterable[str]) -> dict[str, CorridorState]:
    """The corridors to `peers`, created where new, held until the transaction ends."""
    wanted = sorted(set(peers))
    select = """
        select * from customs_corridors where compliance_region = $1 and peer = any($2::text[]) order by peer
        for update
    """
    rows = await connection.fetch(select, spec.region, wanted)
    if len(rows) < len(wanted):
        await connection.execute(
            """
            insert into customs_corridors (compliance_region, peer, exported_roll, admitted_roll)
            select $1, peer, $3, $3 from unnest($2::text[]) as peer on conflict do nothing
            """,
            spec.region,
            wanted,
            EMPTY_ROLL,
        )
        rows = await connection.fetch(select, spec.region, wanted)
    return {
        row["peer"]: CorridorState(
            row["exported_sequence"],
            row["exported_roll"],
            row["admitted_sequence"],
            row["admitted_roll"],
        )
        for row in rows
    }


async def exported_and_receipted(connection: Connection, spec: CellSpec, peer: str) -> tuple[int, int]:
    """How far the corridor to `peer` is exported, and how far receipted. Not locked: both only grow."""
    row = await connection.fetchrow(
        "select exported_sequence, receipted_sequence from customs_corridors where compliance_region = $1 and peer = $2",
        spec.region,
        peer,
    )
    return (0, 0) if row is None else (row[0], row[1])


async def save_exported(connection: Connection, spec: CellSpec, moved: Mapping[str, tuple[int, bytes]]) -> None:
    """Move the exporting side of corridors: peer → (last sequence, roll)."""
    await connection.execute(
        f"""
        update customs_corridors c set exported_sequence = n.exported_sequence, exported_roll = n.exported_roll
        from {_EXPORTED.source(2, "n")} where c.compliance_region = $1 and c.peer = n.peer
        """,
        spec.region,
        *_EXPORTED.arguments((peer, *place) for peer, place in moved.items()),
    )


async def save_admitted(connection: Connection, spec: CellSpec, moved: Mapping[str, tuple[int, bytes]]) -> None:
    """Move the admitting side of corridors, and owe each of these peers a receipt."""
    await connection.execute(
        f"""
        update customs_corridors c set admitted_sequence = n.admitted_sequence, admitted_roll = n.admitted_roll, receipt_due = true
        from {_ADMITTED.source(2, "n")} where c.compliance_region = $1 and c.peer = n.peer
        """,
        spec.region,
        *_ADMITTED.arguments((peer, *place) for peer, place in moved.items()),
    )


async def admitted_hashes(
    connection: Connection, spec: CellSpec, keys: Sequence[tuple[str, int]]
) -> dict[tuple[str, int], bytes]:
    """What was admitted under each (from cell, sequence): the envelope's hash."""
    rows = await connection.fetch(
        f"""
        select l.from_cell, l.sequence, l.envelope_sha256 from customs_log l
        join {_SEQUENCES.source(4)} using (from_cell, sequence)
        where l.compliance_region = $1 and l.direction = 'admitted' and l.from_cell = any ($2::text[]) and l.sequence = any ($3::bigint[])
        """,
        spec.region,
        [cell for cell, _ in keys],
        [sequence for _, sequence in keys],
        *_SEQUENCES.arguments(keys),
    )
    return {(row["from_cell"], row["sequence"]): row["envelope_sha256"] for row in rows}


async def refused_hashes(connection: Connection, spec: CellSpec, hashes: Sequence[bytes]) -> set[bytes]:
    """Those of `hashes` whose refusal is on record already."""
    rows = await connection.fetch(
        """
        select envelope_sha256 from customs_log
        where compliance_region = $1 and direction = 'refused' and envelope_sha256 = any($2::bytea[])
        """,
        spec.region,
        list(hashes),
    )
    return {row["envelope_sha256"] for row in rows}


async def instructions(
    connection: Connection, spec: CellSpec, transfer_ids: Sequence[str]
) -> dict[str, tuple[str, bytes]]:
    """Which cell each payment was instructed to, and the hash of the instruction; payments never exported are
    absent.
    """
    rows = await connection.fetch(
        """
        select transfer_id, to_cell, envelope_sha256 from customs_log where compliance_region = $1 and
        direction = 'exported' and kind = 'instructed' and transfer_id = any($2::text[])
        """,
        spec.region,
        list(transfer_ids),
    )
    return {row["transfer_id"]: (row["to_cell"], row["envelope_sha256"]) for row in rows}


async def take_receipts_due(connection: Connection, spec: CellSpec) -> list[tuple[str, int, bytes]]:
    """Peers that are owed a receipt, with how far (sequence, roll); owed no longer once the transaction
    commits.
    """
    rows = await connection.fetch(
        """
        with due as (
            select peer from customs_corridors where compliance_region = $1 and receipt_due order by peer for
            update
        )
        update customs_corridors c set receipt_due = false from due
        where c.compliance_region = $1 and c.peer = due.peer
        returning c.peer, c.admitted_sequence, c.admitted_roll
        """,
        spec.region,
    )
    return [(row["peer"], row["admitted_sequence"], row["admitted_roll"]) for row in rows]
