"""API keys: `kv_sandbox_<home cell>_<26 characters>_<secret>`. Pure.

The home cell stands in the key so that the router can route without a database; the 26 characters are the
public part (the row's id is `key_<home cell>_<26 characters>`); the secret has 256 bits, so a plain SHA-256
of it is a safe thing to keep: slow hashes protect secrets that people choose.
"""

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime
from typing import NamedTuple

from cells.tenants.tenant import ApiKey, Environment
from residency.errors import KovraError
from residency.ids import expand, mint

# What a key may be allowed to do; append-only.
SCOPES = frozenset({"read", "quotes", "recipients", "transfers", "wallets", "webhooks", "sandbox"})

_KEY = re.compile(
    r"kv_(?P<environment>sandbox|live)_(?P<cell>[a-z]{2}[0-9]{1,4})_(?P<public>[0-9a-v]{26})_(?P<secret>[0-9a-v]{52})"
)
_SECRET_BYTES = 32


class InvalidKey(KovraError):
    code = "invalid-api-key"
    status = 401
    title = "The API key is missing, unknown, expired or revoked"


class MintedKey(NamedTuple):
    """A key just born; `text` is shown to its owner once and kept nowhere."""

    key_id: str
    secret_sha256: bytes
    text: str


class PresentedKey(NamedTuple):
    """A key as a caller presents it, before it has been looked up."""

    environment: str
    home_cell: str
    key_id: str
    secret_sha256: bytes


def mint_key(cell: str, environment: Environment) -> MintedKey:
    """A new key of a tenant at home in `cell`."""
    key_id = mint("key", cell)
    _, compact_cell, public = key_id.split("_")
    secret = base64.b32hexencode(secrets.token_bytes(_SECRET_BYTES)).decode().rstrip("=").lower()
    return MintedKey(key_id, _digest(secret), f"kv_{environment}_{compact_cell}_{public}_{secret}")


def parse_key(text: str) -> PresentedKey:
    """Read a key. Raises InvalidKey, saying nothing about which part is wrong."""
    match = _KEY.fullmatch(text)
    if match is None:
        raise InvalidKey
    key_id = f"key_{match['cell']}_{match['public']}"
    return PresentedKey(match["environment"], expand(match["cell"]), key_id, _digest(match["secret"]))


def check_key(presented: PresentedKey, stored: ApiKey | None, now: datetime) -> ApiKey:
    """The stored key, if the presented one opens it at `now`. Raises InvalidKey, the same whatever is wrong."""
    # The comparison runs even for an unknown key, so that the time taken does not tell which ids exist.
    expected = stored.secret_sha256 if stored else bytes(hashlib.sha256().digest_size)
    matches = hmac.compare_digest(presented.secret_sha256, expected)
    if stored is None or not matches or stored.revoked_at is not None:
        raise InvalidKey
    if stored.expires_at is not None and stored.expires_at <= now:
        raise InvalidKey
    return stored


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
