"""API keys as rows. Batch-first: every function takes sequences, and none commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from cells.backends.postgres import Connection, Record
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


async def add_keys(connection: Connection, region: str, keys: Sequence[ApiKey]) -> list[str]:
    """Store new keys; a key that is stored already stays as it is. Answers the ids of new ones."""
    # One array of text per column, but scopes: arrays of arrays must be rectangular, so scopes travel joined.
    sealed = [key.sealed for key in keys]
    rows = await connection.fetch(
        """
        insert into api_keys (compliance_region, key_id, tenant_id, secret_sha256, scopes, label, expires_at, credential_type,
                              secret_kid, secret_key, secret_nonce, secret_sealed)
        select $1, key_id, tenant_id, secret, string_to_array(scopes, ' '), label, expires_at, credential_type, kid, wrapped, nonce, sealed
        from unnest($2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::timestamptz[], $8::text[], $9::text[],
                    $10::bytea[], $11::bytea[], $12::bytea[])
             as new (key_id, tenant_id, secret, scopes, label, expires_at, credential_type, kid, wrapped, nonce, sealed)
        on conflict (compliance_region, key_id) do nothing returning key_id
        """,
        region,
        [key.key_id for key in keys],
        [key.tenant_id for key in keys],
        [key.secret_sha256 for key in keys],
        [" ".join(sorted(key.scopes)) for key in keys],
        [key.label for key in keys],
        [key.expires_at for key in keys],
        [key.credential_type for key in keys],
        [one and one.key.kid for one in sealed],
        [one and one.key.wrapped for one in sealed],
        [one and one.nonce for one in sealed],
        [one and one.ciphertext for one in sealed],
    )
    return [row["key_id"] for row in rows]


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
