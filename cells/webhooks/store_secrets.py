"""Secrets of endpoints and signing keys of tenants as rows, sealed. None of it commits."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from cells.backends.postgres import Connection, Record
from cells.backends.rows import Rows
from cells.backends.store_wrapped import WrappedTable
from cells.backends.vault import Sealed, SubjectRef, WrappedKey
from cells.webhooks.signing import Signer

_SIGNERS = Rows(
    "webhook_signers", "algorithm kid public_jwk secret_kid secret_key:bytea secret_nonce:bytea secret_sealed:bytea"
)


def secret_of(tenant_id: str, endpoint_id: str, number: int) -> SubjectRef:
    """Whose an endpoint's secret in the vault is."""
    return SubjectRef(tenant_id, f"{endpoint_id}#{number}", "webhook-secret")


def signer_of(tenant_id: str, kid: str) -> SubjectRef:
    """Whose a tenant's signing key in the vault is."""
    return SubjectRef(tenant_id, kid, "webhook-signer")


WRAPPED_SECRETS = WrappedTable(
    table="webhook_secrets",
    identity={"endpoint_id": "text", "number": "integer"},
    kid="secret_kid",
    wrapped="secret_key",
    subject_columns=("tenant_id",),
    subject=lambda row: secret_of(row["tenant_id"], row["endpoint_id"], row["number"]),
)
WRAPPED_SIGNERS = WrappedTable(
    table="webhook_signers",
    identity={"tenant_id": "text", "algorithm": "text"},
    kid="secret_kid",
    wrapped="secret_key",
    subject_columns=("kid",),
    subject=lambda row: signer_of(row["tenant_id"], row["kid"]),
)


class Target(NamedTuple):
    """Where an endpoint's deliveries go and what signs them, still sealed: secrets by number, newest first; signers by algorithm
    and kid. `failing`: it has taken nothing since it last failed."""

    endpoint_id: str
    tenant_id: str
    url: str
    failing: bool
    secrets: tuple[tuple[int, Sealed], ...]
    signers: tuple[tuple[str, str, Sealed], ...]


async def insert_secret(
    connection: Connection, region: str, tenant_id: str, endpoint_id: str, number: int, secret: Sealed
) -> None:
    await connection.execute(
        """
        insert into webhook_secrets
            (compliance_region, endpoint_id, number, tenant_id, secret_kid, secret_key, secret_nonce, secret_sealed)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        region, endpoint_id, number, tenant_id, secret.key.kid, secret.key.wrapped, secret.nonce, secret.ciphertext,
    )  # fmt: skip


async def end_secret(connection: Connection, region: str, endpoint_id: str, overlap: timedelta) -> None:
    """Have the newest secret, which has no end yet, sign for `overlap` from now, and no longer."""
    await connection.execute(
        """
        update webhook_secrets set ends_at = now() + $3::interval
        where compliance_region = $1 and endpoint_id = $2 and ends_at is null
        """,
        region, endpoint_id, overlap,
    )  # fmt: skip


async def secret_times(connection: Connection, region: str, endpoint_ids: Sequence[str]) -> dict[str, list[Record]]:
    """`number` and `ends_at` of the secrets that have ever signed for each endpoint, newest first."""
    rows = await connection.fetch(
        """
        select endpoint_id, number, ends_at, ends_at is null or ends_at > now() as live from webhook_secrets
        where compliance_region = $1 and endpoint_id = any ($2::text[]) order by number desc
        """,
        region, endpoint_ids,
    )  # fmt: skip
    found: dict[str, list[Record]] = {one: [] for one in endpoint_ids}
    for row in rows:
        found[row["endpoint_id"]].append(row)
    return found


async def insert_signers(
    connection: Connection, region: str, tenant_id: str, signers: Sequence[tuple[Signer, Sealed]]
) -> None:
    """Give a tenant its signing keys; one that has keys keeps them."""
    rows = [
        (one.algorithm, one.kid, one.public_jwk, sealed.key.kid, sealed.key.wrapped, sealed.nonce, sealed.ciphertext)
        for one, sealed in signers
    ]
    await _SIGNERS.insert(
        connection,
        rows,
        "on conflict (compliance_region, tenant_id, algorithm) do nothing",
        compliance_region=region,
        tenant_id=tenant_id,
    )


async def public_keys(connection: Connection, region: str, tenant_id: str) -> list[str]:
    """A tenant's public signing keys as JWK texts, for signing.jwks."""
    rows = await connection.fetch(
        "select public_jwk from webhook_signers where compliance_region = $1 and tenant_id = $2 order by algorithm",
        region,
        tenant_id,
    )
    return [row["public_jwk"] for row in rows]


async def targets(connection: Connection, region: str, endpoint_ids: Sequence[str]) -> dict[str, Target]:
    """Those of the endpoints that may be sent to."""
    rows = await connection.fetch(
        """
        select p.endpoint_id, p.tenant_id, p.url, s.number, null as algorithm, null as kid, p.failing_since is not null as failing,
               s.secret_kid, s.secret_key, s.secret_nonce, s.secret_sealed
        from webhook_endpoints p
        join webhook_secrets s on s.compliance_region = $1 and s.endpoint_id = p.endpoint_id
        where p.compliance_region = $1 and p.endpoint_id = any ($2::text[]) and p.disabled_at is null
          and (s.ends_at is null or s.ends_at > now())
        union all
        select p.endpoint_id, p.tenant_id, p.url, null, k.algorithm, k.kid, p.failing_since is not null,
               k.secret_kid, k.secret_key, k.secret_nonce, k.secret_sealed
        from webhook_endpoints p
        join webhook_signers k on k.compliance_region = $1 and k.tenant_id = p.tenant_id
        where p.compliance_region = $1 and p.endpoint_id = any ($2::text[]) and p.disabled_at is null
        order by 1, 4 desc nulls last, 5
        """,
        region, endpoint_ids,
    )  # fmt: skip
    by_endpoint: dict[str, list[Record]] = {}
    for row in rows:
        by_endpoint.setdefault(row["endpoint_id"], []).append(row)
    return {one: _target(found) for one, found in by_endpoint.items()}


def _target(rows: Sequence[Record]) -> Target:
    first = rows[0]
    return Target(
        first["endpoint_id"],
        first["tenant_id"],
        first["url"],
        first["failing"],
        tuple((row["number"], _sealed(row)) for row in rows if row["number"] is not None),
        tuple((row["algorithm"], row["kid"], _sealed(row)) for row in rows if row["algorithm"] is not None),
    )


def _sealed(row: Record) -> Sealed:
    return Sealed(WrappedKey(row["secret_kid"], row["secret_key"]), row["secret_nonce"], row["secret_sealed"])
