"""The nouns of this room, as they are stored: business data about companies, confidential and not personal."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from cells.backends.vault import Sealed
from residency.classes import Confidential, Public
from residency.directory import CellEntry
from residency.errors import KovraError
from residency.ids import mint

Placement = Literal["shared", "own"]
Environment = Literal["sandbox", "live"]
WalletState = Literal["open", "closed"]
# How a key opens: sent with each request, signing each request, or asking for tokens.
CredentialType = Literal["key", "signature", "client"]

# The operator's own tenant in every cell: it has keys that administer, and no wallet.
PLATFORM_ID = "platform"


class UnknownTenant(KovraError):
    code = "unknown-tenant"
    status = 404
    title = "There is no such tenant in this cell"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A partner. `owner_number` is its 63-bit owner in every cell's ledger; `tier` names an entry of
    tiers.toml.

    `agreed_margin_bps`: its own exchange margin, within what the tier allows; None for the tier's standard.
    """

    tenant_id: Annotated[str, Public]
    name: Annotated[str, Confidential]
    home_region: Annotated[str, Public]
    home_cell: Annotated[str, Public]
    tier: Annotated[str, Public]
    owner_number: Annotated[int, Confidential]
    environment: Annotated[Environment, Public] = "sandbox"
    placement: Annotated[Placement, Public] = "shared"
    agreed_margin_bps: Annotated[int | None, Confidential] = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as stored: `key_id` is public, the secret is known by its SHA-256 only; of what signs, `sealed` holds it whole.

    `last_used_at` is true to the minute.
    """

    key_id: Annotated[str, Public]
    tenant_id: Annotated[str, Public]
    secret_sha256: Annotated[bytes, Confidential]
    scopes: Annotated[frozenset[str], Public]
    label: Annotated[str, Confidential] = ""
    expires_at: Annotated[datetime | None, Public] = None
    revoked_at: Annotated[datetime | None, Public] = None
    credential_type: Annotated[CredentialType, Public] = "key"
    sealed: Annotated[Sealed | None, Confidential] = None
    created_at: Annotated[datetime | None, Public] = None
    last_used_at: Annotated[datetime | None, Public] = None


@dataclass(frozen=True, slots=True)
class NewWallet:
    """A wallet to open; `qualifier` 0 is the tenant's own, others are its sub-wallets."""

    tenant_id: Annotated[str, Public]
    currency: Annotated[str, Public]
    qualifier: Annotated[int, Public] = 0


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet as stored, with the owner number and placement of its tenant."""

    wallet_id: Annotated[str, Public]
    tenant_id: Annotated[str, Public]
    currency: Annotated[str, Public]
    qualifier: Annotated[int, Public]
    account_number: Annotated[str, Confidential]
    epoch: Annotated[int, Confidential]
    host: Annotated[str, Confidential]
    state: Annotated[WalletState, Public]
    owner_number: Annotated[int, Confidential]
    placement: Annotated[Placement, Public]
    tier: Annotated[str, Public]


def mint_tenant(
    name: str,
    home: CellEntry,
    *,
    tier: str,
    placement: Placement = "shared",
    environment: Environment = "sandbox",
) -> Tenant:
    """A new tenant at home in `home`, to be provisioned into every cell as it is."""
    # 63 bits: the ledger's owners with the top bit set are the platform, cells and rails.
    owner_number = secrets.randbelow(2**63 - 1) + 1
    tenant_id = mint("ten", home.name)
    return Tenant(tenant_id, name, home.region, home.name, tier, owner_number, environment, placement)


def platform_tenant(home: CellEntry) -> Tenant:
    """The operator in `home`. It has an owner number because every tenant has; no account is opened under it."""
    return Tenant(PLATFORM_ID, "Kovra", home.region, home.name, "platform", 2**63 - 1, "live")
