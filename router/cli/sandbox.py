"""The tenant that a laptop's stack comes with: one key, and a wallet in every currency, in the region that holds it.

It is remembered in `<home>/sandbox.json` (0600), so that a restart shows the same key; a cell that lost its data is
given it again.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cells.tenants.keys import SCOPES, mint_key, parse_key
from cells.tenants.tenant import ApiKey, Tenant, mint_tenant
from infra.local.home import write_file
from residency.directory import load_directory
from router.cli.provisioning import Provisioned, provision

_FILE = "sandbox.json"
_NAME = "Sandbox Partner"
_TIER = "sandbox"


@dataclass(frozen=True)
class Sandbox:
    """`key` is the secret text. `wallets` and `account_numbers` are by currency."""

    tenant: Tenant
    key: str
    wallets: dict[str, str]
    account_numbers: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def ensure_sandbox(home: Path) -> Sandbox:
    """The sandbox tenant of this home, in every cell. Raises StoreUnavailable."""
    found = read_sandbox(home) or _mint(home)
    # Kept before it is used: a key that a cell knows and nobody else would be of no use.
    _write(home, found)
    presented = parse_key(found.key)
    key = ApiKey(presented.key_id, found.tenant.tenant_id, presented.secret_sha256, SCOPES, "sandbox")
    done: Provisioned = await provision(
        home, found.tenant, keys=[key], actor="system:sandbox", action="sandbox.provision"
    )
    found = replace(found, wallets=done.wallets, account_numbers=done.account_numbers)
    _write(home, found)
    return found


def read_sandbox(home: Path) -> Sandbox | None:
    """What an earlier start wrote; None before the first."""
    path = home / _FILE
    if not path.exists():
        return None
    data = json.loads(path.read_text())
    return Sandbox(Tenant(**data["tenant"]), data["key"], data["wallets"], data["account_numbers"])


def _mint(home: Path) -> Sandbox:
    directory = load_directory(home)
    first = min(directory.cells.values(), key=lambda cell: cell.number)
    tenant = mint_tenant(_NAME, first, tier=_TIER)
    return Sandbox(tenant, mint_key(first.name, tenant.environment).text, {}, {})


def _write(home: Path, sandbox: Sandbox) -> None:
    write_file(home / _FILE, json.dumps(sandbox.as_json(), indent=2), 0o600)
