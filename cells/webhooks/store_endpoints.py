"""Endpoints and signing keys as rows. None of it commits; under the API's role a tenant sees its own only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from cells.backends.postgres import Connection, Record
from cells.backends.vault import Sealed
from cells.webhooks.signing import Signer
from residency.classes import Confidential, Public


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a tenant wants its events. `event_types` is empty for all; a disabled one gets no new deliveries."""

    endpoint_id: Annotated[str, Public]
    tenant_id: Annotated[str, Public]
    url: Annotated[str, Confidential]
    event_types: Annotated[tuple[str, ...], Public]
    created_at: Annotated[datetime, Public]
    disabled_at: Annotated[datetime | None, Public]
    disabled_reason: Annotated[str | None, Public]


_COLUMNS = "endpoint_id, tenant_id, url, event_types, created_at, disabled_at, disabled_reason"


async def insert_endpoint(
    connection: Connection,
    region: str,
    endpoint_id: str,
    tenant_id: str,
    *,
    url: str,
    event_types: Sequence[str],
    secret: Sealed,
) -> Endpoint:
    row = await connection.fetchrow(
        f"""
        insert into webhook_endpoints
            (compliance_region, endpoint_id, tenant_id, url, event_types,
             secret_kid, secret_key, secret_nonce, secret_sealed)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning {_COLUMNS}
        """,
        region,
        endpoint_id,
        tenant_id,
        url,
        sorted(event_types),
        secret.key.kid,
        secret.key.wrapped,
        secret.nonce,
        secret.ciphertext,
    )
    assert row is not None
    return _endpoint(row)


async def list_endpoints(connection: Connection, region: str, tenant_id: str) -> list[Endpoint]:
    """A tenant's endpoints, oldest first, disabled ones included."""
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from webhook_endpoints
        where compliance_region = $1 and tenant_id = $2 order by endpoint_id
        """,
        region, tenant_id,
    )  # fmt: skip
    return [_endpoint(row) for row in rows]


async def disable_endpoints(connection: Connection, region: str, endpoint_ids: Sequence[str], reason: str) -> list[str]:
    """Stop endpoints from now on, with what was still to be sent to them; answers those not stopped before."""
    rows = await connection.fetch(
        """
        with stopped as (
            update webhook_endpoints set disabled_at = now(), disabled_reason = $3
            where compliance_region = $1 and endpoint_id = any ($2::text[]) and disabled_at is null
            returning endpoint_id
        ), dropped as (
            update webhook_deliveries d set state = 'dead' from stopped
            where d.compliance_region = $1 and d.endpoint_id = stopped.endpoint_id and d.state = 'pending'
        )
        select endpoint_id from stopped
        """,
        region,
        endpoint_ids,
        reason,
    )
    return [row["endpoint_id"] for row in rows]


async def insert_signer(connection: Connection, region: str, tenant_id: str, signer: Signer, private: Sealed) -> None:
    """Give a tenant its signing key; one that has a key keeps it."""
    await connection.execute(
        """
        insert into webhook_signers (compliance_region, tenant_id, kid, public_jwk, secret_kid, secret_key,
        secret_nonce,
                                     secret_sealed)
        values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (compliance_region, tenant_id) do nothing
        """,
        region, tenant_id, signer.kid, signer.public_jwk, private.key.kid, private.key.wrapped, private.nonce,
        private.ciphertext,
    )  # fmt: skip


async def public_keys(connection: Connection, region: str, tenant_id: str) -> list[str]:
    """A tenant's public signing keys as JWK texts, for signing.jwks."""
    rows = await connection.fetch(
        "select public_jwk from webhook_signers where compliance_region = $1 and tenant_id = $2",
        region,
        tenant_id,
    )
    return [row["public_jwk"] for row in rows]


def _endpoint(row: Record) -> Endpoint:
    return Endpoint(**{**dict(row), "event_types": tuple(row["event_types"])})
