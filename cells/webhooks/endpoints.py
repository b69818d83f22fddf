"""An endpoint's life: the URL checked, secrets minted, sealed and replaced, the tenant's signing keys born with its first endpoint."""

from collections.abc import Container, Sequence
from datetime import timedelta
from typing import NamedTuple

from cells.backends.postgres import Connection
from cells.backends.vault import Vault
from cells.webhooks import store_endpoints, store_secrets
from cells.webhooks.catalogue import EVENT_TYPES
from cells.webhooks.guard import check_url
from cells.webhooks.signing import SigningKeys, load_keys, mint_secret, mint_signers
from cells.webhooks.store_endpoints import Endpoint
from cells.webhooks.store_secrets import Target
from residency.errors import KovraError
from residency.ids import mint

# Each is a signature more in every delivery's header.
SECRETS_MAX = 5
ENDPOINTS_MAX = 50


class UnknownEventType(KovraError):
    code = "unknown-event-type"
    status = 422
    title = "There is no such event type"


class TooManyEndpoints(KovraError):
    """Each event is sent to every endpoint that wants it."""

    code = "too-many-webhook-endpoints"
    status = 409
    title = "You have as many webhook endpoints as there can be"


class TooManySecrets(KovraError):
    """The secrets that were replaced still sign; wait until the first of them has ended."""

    code = "too-many-webhook-secrets"
    status = 409
    title = "Too many of this endpoint's secrets are in use"


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
    loopback_ports: Container[int],
) -> NewEndpoint:
    """Register `url` for a tenant's events (`event_types` empty: all). `loopback_ports`: the guard's. Raises UrlNotAllowed, UnknownEventType, TooManyEndpoints."""
    check_url(url, loopback_ports)
    check_event_types(event_types)
    # Counted and added by one at a time: two that count together would both find a place.
    await store_endpoints.lock_count(connection, tenant_id)
    if len(await store_endpoints.list_endpoints(connection, vault.region, tenant_id)) >= ENDPOINTS_MAX:
        raise TooManyEndpoints(f"There can be {ENDPOINTS_MAX}; delete one that you no longer need.")
    endpoint_id, signers = mint("whe", cell), mint_signers()
    sealed = vault.seal([(store_secrets.signer_of(tenant_id, one.kid), one.private_jwk.encode()) for one in signers])
    await store_secrets.insert_signers(connection, vault.region, tenant_id, list(zip(signers, sealed, strict=True)))
    endpoint = await store_endpoints.insert_endpoint(
        connection, vault.region, endpoint_id, tenant_id, url=url, event_types=sorted(set(event_types))
    )
    return NewEndpoint(endpoint, await _add_secret(connection, vault, tenant_id, endpoint_id, 1))


async def rotate_secret(
    connection: Connection, vault: Vault, tenant_id: str, endpoint_id: str, *, overlap: timedelta
) -> str:
    """A new secret for an endpoint that the caller has locked; the one before it signs beside it for `overlap`. Raises
    TooManySecrets."""
    times = (await store_secrets.secret_times(connection, vault.region, [endpoint_id]))[endpoint_id]
    live = [one["ends_at"] for one in times if one["live"]]
    if len(live) >= SECRETS_MAX:
        first = min(at for at in live if at is not None)
        raise TooManySecrets(f"The first of them ends at {first.isoformat(timespec='seconds')}.")
    await store_secrets.end_secret(connection, vault.region, endpoint_id, overlap)
    return await _add_secret(connection, vault, tenant_id, endpoint_id, times[0]["number"] + 1)


def check_event_types(event_types: Sequence[str]) -> None:
    """Raises UnknownEventType."""
    if strange := sorted(set(event_types) - EVENT_TYPES):
        known = ", ".join(sorted(EVENT_TYPES))
        raise UnknownEventType(f"{strange[0]!r} is not one of {known}.", pointer="/event_types")


def open_keys(vault: Vault, target: Target) -> SigningKeys:
    """What an endpoint's deliveries are signed with. Raises VaultUnreadable."""
    tenant_id = target.tenant_id
    secrets = [
        (store_secrets.secret_of(tenant_id, target.endpoint_id, number), sealed) for number, sealed in target.secrets
    ]
    signers = [(store_secrets.signer_of(tenant_id, kid), sealed) for _, kid, sealed in target.signers]
    opened = [one.decode() for one in vault.open([*secrets, *signers])]
    algorithms = [algorithm for algorithm, _, _ in target.signers]
    return load_keys(opened[: len(secrets)], dict(zip(algorithms, opened[len(secrets) :], strict=True)))


async def _add_secret(connection: Connection, vault: Vault, tenant_id: str, endpoint_id: str, number: int) -> str:
    secret = mint_secret()
    [sealed] = vault.seal([(store_secrets.secret_of(tenant_id, endpoint_id, number), secret.encode())])
    await store_secrets.insert_secret(connection, vault.region, tenant_id, endpoint_id, number, sealed)
    return secret
