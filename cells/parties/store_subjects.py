"""The vault's tables: wrapped keys in `subjects`, ciphertext in `sealed_records`. Multi-row statements; never
commits."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from cells.backends.postgres import Connection
from cells.backends.rows import Rows
from cells.backends.store_wrapped import WrappedTable
from cells.backends.vault import Sealed, SubjectRef, Vault, WrappedKey

WRAPPED = WrappedTable(
    table="subjects",
    identity={"subject_id": "text"},
    kid="kek_kid",
    wrapped="wrapped_key",
    subject_columns=("tenant_id", "subject_id", "kind"),
    subject=lambda row: SubjectRef(row["tenant_id"], row["subject_id"], row["kind"]),
)


class SealedSubject(NamedTuple):
    subject: SubjectRef
    sealed: Sealed


_SUBJECTS = Rows("subjects", "tenant_id subject_id kind wrapped_key:bytea kek_kid")
_SEALED = Rows("sealed_records", "tenant_id subject_id nonce:bytea ciphertext:bytea")
_TERMS = Rows("subjects", "subject_id erase_after:timestamptz")


async def insert_sealed(
    connection: Connection, region: str, items: Sequence[SealedSubject], term: timedelta | None = None
) -> None:
    """Put new subjects on record. `term`: how long from now they are kept, then they are erased; None while somebody else ends them."""
    keys = ((who.tenant_id, who.subject_id, who.kind, sealed.key.wrapped, sealed.key.kid) for who, sealed in items)
    await connection.execute(
        f"""
        insert into subjects (compliance_region, erase_after, {_SUBJECTS.names})
        select $1, now() + $2::interval, new.* from {_SUBJECTS.source(3)}
        """,
        region, term, *_SUBJECTS.arguments(keys),
    )  # fmt: skip
    records = [(who.tenant_id, who.subject_id, sealed.nonce, sealed.ciphertext) for who, sealed in items]
    await _SEALED.insert(connection, records, compliance_region=region)


async def select_sealed(connection: Connection, region: str, subject_ids: Sequence[str]) -> list[SealedSubject]:
    """The sealed records of those subjects that exist, are visible to the connection's role and are not
    erased."""
    rows = await connection.fetch(
        """
        select s.tenant_id, s.subject_id, s.kind, s.kek_kid, s.wrapped_key, r.nonce, r.ciphertext
        from subjects s join sealed_records r using (compliance_region, subject_id)
        where s.compliance_region = $1 and s.subject_id = any($2::text[]) and s.erased_at is null
        """,
        region,
        subject_ids,
    )
    return [
        SealedSubject(
            SubjectRef(row["tenant_id"], row["subject_id"], row["kind"]),
            Sealed(WrappedKey(row["kek_kid"], row["wrapped_key"]), row["nonce"], row["ciphertext"]),
        )
        for row in rows
    ]


async def open_subjects(
    connection: Connection, vault: Vault, subject_ids: Sequence[str]
) -> dict[str, tuple[SubjectRef, bytes]]:
    """What the vault says of each subject; one that is unknown, foreign or erased is absent. Raises
    VaultUnreadable."""
    records = await select_sealed(connection, vault.region, subject_ids)
    opened = vault.open(records)
    return {record.subject.subject_id: (record.subject, data) for record, data in zip(records, opened, strict=True)}


async def erase(connection: Connection, region: str, subject_ids: Sequence[str]) -> list[str]:
    """Destroy the keys of these subjects; the ids of those that were not erased before."""
    rows = await connection.fetch(
        """
        update subjects set wrapped_key = null, kek_kid = null, erased_at = now()
        where compliance_region = $1 and subject_id = any($2::text[]) and erased_at is null
        returning subject_id
        """,
        region,
        subject_ids,
    )
    return [row["subject_id"] for row in rows]


async def keep_until(connection: Connection, region: str, until: Sequence[tuple[str, datetime]]) -> None:
    """Erase each `(subject id, instant)` no sooner than that: a law obliges the cell to keep the record."""
    await connection.execute(
        f"""
        update subjects s set erase_after = greatest(s.erase_after, new.erase_after) from {_TERMS.source(2)}
        where s.compliance_region = $1 and s.subject_id = new.subject_id
        """,
        region, *_TERMS.arguments(until),
    )  # fmt: skip


async def due_for_erasure(connection: Connection, region: str, aside: Collection[str], limit: int = 1000) -> list[str]:
    """The subjects whose retention has ended, longest ago first, `limit` at most; without those `aside`."""
    rows = await connection.fetch(
        """
        select subject_id from subjects
        where compliance_region = $1 and erase_after <= now() and erased_at is null and subject_id <> all ($3::text[])
        order by erase_after limit $2
        """,
        region,
        limit,
        list(aside),
    )
    return [row["subject_id"] for row in rows]
