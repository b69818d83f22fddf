"""The nouns of this room, as they are stored: business data about companies, confidential and not personal."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from residency.directory import CellEntry
from residency.errors import KovraError
from residency.ids import mint

Placement = Literal["shared", "own"]
Environment = Literal["sandbox", "live"]
WalletState = Literal["open", "frozen", "closed"]


class UnknownTenant(KovraError):
    code = "unknown-tenant"
    status = 404
    title = "There is no such tenant in this cell"


class UnknownWallet(KovraError):
    code = "unknown-wallet"
    status = 404
    title = "There is no such wallet in this cell"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A partner. `owner_number` is its 63-bit owner in every cell's ledger; `tier` names an entry of tiers.toml."""

    tenant_id: str
    name: str
    home_region: str
    home_cell: str
    tier: str
    owner_number: int
    environment: Environment = "sandbox"
    placement: Placement = "shared"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as stored: `key_id` is public, the secret is known by its SHA-256 only."""

    key_id: str
    tenant_id: str
    secret_sha256: bytes
    scopes: frozenset[str]
    label: str = ""
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewWallet:
    """A wallet to open; `qualifier` 0 is the tenant's own, others are its sub-wallets."""

    tenant_id: str
    currency: str
    qualifier: int = 0


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet as stored, with the owner number and placement of its tenant."""

    wallet_id: str
    tenant_id: str
    currency: str
    qualifier: int
    account_number: str
    epoch: int
    host: str
    state: WalletState
    owner_number: int
    placement: Placement
    tier: str


def mint_tenant(
    name: str, home: CellEntry, *, tier: str, placement: Placement = "shared", environment: Environment = "sandbox"
) -> Tenant:
    """A new tenant at home in `home`, to be provisioned into every cell as it is."""
    # 63 bits: the ledger's owners with the top bit set are the platform, cells and rails.
    owner_number = secrets.randbelow(2**63 - 1) + 1
    tenant_id = mint("ten", home.name)
    return Tenant(tenant_id, name, home.region, home.name, tier, owner_number, environment, placement)
