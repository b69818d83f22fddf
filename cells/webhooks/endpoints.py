"""Creating an endpoint: the URL checked, the secret minted and sealed, the tenant's signing key born with its
first endpoint.
"""

from collections.abc import Sequence
from typing import NamedTuple

from cells.backends.postgres import Connection
from cells.backends.vault import SubjectRef, Vault
from cells.webhooks import store_endpoints
from cells.webhooks.events import EVENT_TYPES
from cells.webhooks.guard import check_url
from cells.webhooks.signing import mint_secret, mint_signer
from cells.webhooks.store import Delivery
from cells.webhooks.store_endpoints import Endpoint
from residency.errors import KovraError
from residency.ids import mint


class UnknownEventType(KovraError):
    code = "unknown-event-type"
    status = 422
    title = "There is no such event type"


class NewEndpoint(NamedTuple):
    """An endpoint just created. `secret` is for its owner's eyes, once."""

    endpoint: Endpoint
    secret: str


async def create_endpoint(
    connection: Connection,
    vault: Vault,
    cell: str,
    tenant_id: str,
    *,
    url: str,
    event_types: Sequence[str] = (),
    allow_loopback: bool,
) -> NewEndpoint:
    """Register `url` for a tenant's events (`event_types` empty: all). Raises UrlNotAllowed,
    UnknownEventType.
    """
    check_url(url, allow_loopback=allow_loopback)
    if strange := sorted(set(event_types) - EVENT_TYPES):
        known = ", ".join(sorted(EVENT_TYPES))
        raise UnknownEventType(f"{strange[0]!r} is not one of {known}.", pointer="/event_types")
    endpoint_id, secret, signer = mint("whe", cell), mint_secret(), mint_signer()
    sealed_secret, sealed_key = vault.seal(
        [
            (_secret_of(tenant_id, endpoint_id), secret.encode()),
            (_signer_of(tenant_id, signer.kid), signer.private_jwk.encode()),
        ]
    )
    await store_endpoints.insert_signer(connection, vault.region, tenant_id, signer, sealed_key)
    endpoint = await store_endpoints.insert_endpoint(
        connection,
        vault.region,
        endpoint_id,
        tenant_id,
        url=url,
        event_types=sorted(set(event_types)),
        secret=sealed_secret,
    )
    return NewEndpoint(endpoint, secret)


def open_secrets(vault: Vault, delivery: Delivery) -> tuple[str, str]:
    """The endpoint's secret and the tenant's private JWK. Raises VaultUnreadable."""
    secret, private_jwk = vault.open(
        [
            (_secret_of(delivery.tenant_id, delivery.endpoint_id), delivery.secret),
            (_signer_of(delivery.tenant_id, delivery.signer_kid), delivery.signer),
        ]
    )
    return secret.decode(), private_jwk.decode()


def _secret_of(tenant_id: str, endpoint_id: str) -> SubjectRef:
    return SubjectRef(tenant_id, endpoint_id, "webhook-secret")


def _signer_of(tenant_id: str, kid: str) -> SubjectRef:
    return SubjectRef(tenant_id, kid, "webhook-signer")
