"""A new key of a tenant, in any of the three ways, and one that follows another."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated

from cells.backends.vault import SubjectRef, Vault
from cells.tenants.keys import mint_key
from cells.tenants.signatures import key_for
from cells.tenants.tenant import ApiKey, CredentialType, Tenant
from residency.classes import Confidential
from residency.errors import needed

# How long the old key still opens after a rotation, unless the operator says another time.
OVERLAP = timedelta(days=1)
_KIND = "api_key"


@dataclass(frozen=True, slots=True, repr=False)
class Issued:
    """A key just born. `text` is shown once: the key itself, or the secret beside its id. `row` is not sealed yet."""

    row: Annotated[ApiKey, Confidential]
    text: Annotated[str, Confidential]

    def sealed_by(self, vault: Vault) -> ApiKey:
        """The row as one cell stores it: what signs there and in no other region, sealed under that region's key."""
        if self.row.credential_type != "signature":
            return self.row
        key = key_for(vault.region, self.text)
        [sealed] = vault.seal([(subject_of_key(self.row.tenant_id, self.row.key_id), key)])
        return replace(self.row, sealed=sealed)


def issue(
    tenant: Tenant,
    scopes: frozenset[str],
    *,
    credential_type: CredentialType = "key",
    label: str = "",
    expires_at: datetime | None = None,
) -> Issued:
    """A key for `tenant`; keys.checked_scopes says which scopes there are."""
    minted = mint_key(tenant.home_cell, tenant.environment, credential_type)
    row = ApiKey(
        minted.key_id,
        tenant.tenant_id,
        minted.secret_sha256,
        scopes,
        label,
        expires_at,
        credential_type=credential_type,
    )
    return Issued(row, minted.text)


def follow(tenant: Tenant, old: ApiKey) -> Issued:
    """The key that takes the place of `old`: of the same type and scopes."""
    return issue(tenant, old.scopes, credential_type=old.credential_type, label=old.label)


def signing_key_of(vault: Vault, key: ApiKey) -> bytes:
    """What signs requests to the vault's region, in the clear. Raises VaultUnreadable."""
    sealed = needed(key.sealed, "a key that signs has its secret sealed")
    [secret] = vault.open([(subject_of_key(key.tenant_id, key.key_id), sealed)])
    return secret


def subject_of_key(tenant_id: str, key_id: str) -> SubjectRef:
    """Whose a secret in the vault is."""
    return SubjectRef(tenant_id, key_id, _KIND)
