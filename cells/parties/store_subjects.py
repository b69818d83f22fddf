"""The vault's tables: wrapped keys in `subjects`, ciphertext in `sealed_records`. Multi-row statements; never
commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from cells.backends.postgres import Connection
from cells.backends.vault import Sealed, SubjectRef, Vault, WrappedKey


class SealedSubject(NamedTuple):
    subject: SubjectRef
    sealed: Sealed


async def insert_sealed(connection: Connection, region: str, items: Sequence[SealedSubject]) -> None:
    await connection.execute(
        """
        INSERT INTO subjects (compliance_region, tenant_id, subject_id, kind, wrapped_key, kek_kid)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::bytea[], $6::text[])
        """,
        region,
        [item.subject.tenant_id for item in items],
        [item.subject.subject_id for item in items],
        [item.subject.kind for item in items],
        [item.sealed.key.wrapped for item in items],
        [item.sealed.key.kid for item in items],
    )
    await connection.execute(
        """
        INSERT INTO sealed_records (compliance_region, tenant_id, subject_id, nonce, ciphertext)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bytea[], $5::bytea[])
        """,
        region,
        [item.subject.tenant_id for item in items],
        [item.subject.subject_id for item in items],
        [item.sealed.nonce for item in items],
        [item.sealed.ciphertext for item in items],
    )


async def select_sealed(connection: Connection, region: str, subject_ids: Sequence[str]) -> list[SealedSubject]:
    """The sealed records of those subjects that exist, are visible to the connection's role and are not
    erased."""
    rows = await connection.fetch(
        """
        SELECT s.tenant_id, s.subject_id, s.kind, s.kek_kid, s.wrapped_key, r.nonce, r.ciphertext
        FROM subjects s JOIN sealed_records r USING (compliance_region, subject_id)
        WHERE s.compliance_region = $1 AND s.subject_id = ANY($2::text[]) AND s.erased_at IS NULL
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
        UPDATE subjects SET wrapped_key = NULL, kek_kid = NULL, erased_at = now()
        WHERE compliance_region = $1 AND subject_id = ANY($2::text[]) AND erased_at IS NULL
        RETURNING subject_id
        """,
        region,
        subject_ids,
    )
    return [row["subject_id"] for row in rows]


async def keep_until(connection: Connection, region: str, until: Sequence[tuple[str, datetime]]) -> None:
    """Erase each `(subject id, instant)` no sooner than that: a law obliges the cell to keep the record."""
    await connection.execute(
        """
        UPDATE subjects s SET erase_after = greatest(s.erase_after, u.erase_after)
        FROM unnest($2::text[], $3::timestamptz[]) AS u (subject_id, erase_after)
        WHERE s.compliance_region = $1 AND s.subject_id = u.subject_id
        """,
        region,
        [subject_id for subject_id, _ in until],
        [instant for _, instant in until],
    )


async def erase_due(connection: Connection, region: str, limit: int = 1000) -> list[str]:
    """Erase the subjects whose retention has ended, `limit` at most; their ids."""
    rows = await connection.fetch(
        """
        SELECT subject_id FROM subjects
        WHERE compliance_region = $1 AND erase_after <= now() AND erased_at IS NULL
        ORDER BY erase_after LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        region,
        limit,
    )
    return await erase(connection, region, [row["subject_id"] for row in rows])


async def rewrap_batch(connection: Connection, vault: Vault, limit: int = 1000) -> int:
    """Move up to `limit` data keys to the region's current key; how many were moved (0: the rotation is
    complete)."""
    rows = await connection.fetch(
        """
        SELECT tenant_id, subject_id, kind, kek_kid, wrapped_key FROM subjects
        WHERE compliance_region = $1 AND kek_kid <> $2 AND wrapped_key IS NOT NULL
        LIMIT $3 FOR UPDATE SKIP LOCKED
        """,
        vault.region,
        vault.current_kid,
        limit,
    )
    if not rows:
        return 0
    subjects = [SubjectRef(row["tenant_id"], row["subject_id"], row["kind"]) for row in rows]
    old = [WrappedKey(row["kek_kid"], row["wrapped_key"]) for row in rows]
    new = vault.rewrap(list(zip(subjects, old, strict=True)))
    await connection.execute(
        """
        UPDATE subjects s SET wrapped_key = u.wrapped_key, kek_kid = u.kek_kid
        FROM unnest($2::text[], $3::bytea[], $4::text[]) AS u (subject_id, wrapped_key, kek_kid)
        WHERE s.compliance_region = $1 AND s.subject_id = u.subject_id
        """,
        vault.region,
        [subject.subject_id for subject in subjects],
        [key.wrapped for key in new],
        [key.kid for key in new],
    )
    return len(rows)
