"""API keys as rows. Batch-first: every function takes sequences, and none commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from cells.backends.postgres import Connection, Record
from cells.backends.rows import Rows
from cells.backends.store_wrapped import WrappedTable
from cells.backends.vault import Sealed, WrappedKey
from cells.tenants.issuing import subject_of_key
from cells.tenants.store import tenant_of
from cells.tenants.tenant import ApiKey, Tenant


class KeyHolder(NamedTuple):
    """A key as stored, its tenant, and the database's time at the look-up (pass it on to keys.check_key)."""

    key: ApiKey
    tenant: Tenant
    checked_at: datetime


WRAPPED = WrappedTable(
    table="api_keys",
    identity={"key_id": "text"},
    kid="secret_kid",
    wrapped="secret_key",
    subject_columns=("tenant_id", "key_id"),
    subject=lambda row: subject_of_key(row["tenant_id"], row["key_id"]),
)
_COLUMNS = """key_id, tenant_id, secret_sha256, scopes, label, credential_type, secret_kid, secret_key, secret_nonce, secret_sealed,
              created_at, expires_at, revoked_at, last_used_at"""
_ROWS = Rows(
    "api_keys",
    "key_id tenant_id secret_sha256:bytea scopes:text[] label expires_at:timestamptz credential_type secret_kid secret_key:bytea secret_nonce:bytea"
    " secret_sealed:bytea",
)


async def add_keys(connection: Connection, region: str, keys: Sequence[ApiKey]) -> list[str]:
    """Store new keys; a key that is stored already stays as it is. Answers the ids of new ones."""
    rows = [
        (
            key.key_id, key.tenant_id, key.secret_sha256, sorted(key.scopes), key.label, key.expires_at, key.credential_type,
            key.sealed and key.sealed.key.kid, key.sealed and key.sealed.key.wrapped, key.sealed and key.sealed.nonce,
            key.sealed and key.sealed.ciphertext,
        )
        for key in keys
    ]  # fmt: skip
    stored = await _ROWS.insert(
        connection,
        rows,
        "on conflict (compliance_region, key_id) do nothing returning key_id",
        compliance_region=region,
    )
    return [row["key_id"] for row in stored]


async def find_keys(connection: Connection, region: str, key_ids: Sequence[str]) -> dict[str, KeyHolder]:
    """Keys with their tenants, revoked and expired ones included. Works before a tenant is bound to the connection."""
    rows = await connection.fetch("select * from find_api_keys($1, $2::text[])", region, key_ids)
    return {row["key_id"]: KeyHolder(_key(row), tenant_of(row), row["checked_at"]) for row in rows}


async def list_keys(connection: Connection, region: str, tenant_ids: Sequence[str]) -> list[ApiKey]:
    """Every key of these tenants in this cell, oldest first, revoked and expired ones included."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from api_keys where compliance_region = $1 and tenant_id = any ($2::text[]) order by key_id",
        region, tenant_ids,
    )  # fmt: skip
    return [_key(row) for row in rows]


async def revoke_keys(connection: Connection, region: str, key_ids: Sequence[str]) -> list[str]:
    """Revoke keys from now on, by the database's clock; answers the ids that were not revoked before."""
    rows = await connection.fetch(
        """
        update api_keys set revoked_at = now()
        where compliance_region = $1 and key_id = any ($2::text[]) and revoked_at is null
        returning key_id
        """,
        region, key_ids,
    )  # fmt: skip
    return [row["key_id"] for row in rows]


async def expire_keys(connection: Connection, region: str, key_ids: Sequence[str], at: datetime) -> list[str]:
    """Let keys end at `at`, if they do not end sooner; answers the ids that were in use."""
    rows = await connection.fetch(
        """
        update api_keys set expires_at = least(expires_at, $3)
        where compliance_region = $1 and key_id = any ($2::text[]) and revoked_at is null
          and (expires_at is null or expires_at > now())
        returning key_id
        """,
        region, key_ids, at,
    )  # fmt: skip
    return [row["key_id"] for row in rows]


async def note_used(connection: Connection, region: str, key_ids: Sequence[str]) -> None:
    """These keys were used just now. Written once a minute at most, whoever says it how often."""
    await connection.execute(
        """
        update api_keys set last_used_at = now()
        where compliance_region = $1 and key_id = any ($2::text[])
          and (last_used_at is null or last_used_at < now() - interval '1 minute')
        """,
        region, sorted(key_ids),
    )  # fmt: skip


def _key(row: Record) -> ApiKey:
    sealed = None
    if row["secret_sealed"] is not None:
        wrapped = WrappedKey(row["secret_kid"], row["secret_key"])
        sealed = Sealed(wrapped, row["secret_nonce"], row["secret_sealed"])
    return ApiKey(
        row["key_id"], row["tenant_id"], row["secret_sha256"], frozenset(row["scopes"]), row["label"], row["expires_at"],
        row["revoked_at"], row["credential_type"], sealed, row["created_at"], row["last_used_at"],
    )  # fmt: skip
