"""Keys of the three ways in. Pure.

key         `kv_sandbox_<home cell>_<26 characters>_<secret>`, sent with each request
signature   the id `key_<home cell>_<26 characters>`, and a secret `kvsig_…` that signs each request (signatures.py)
client      the same id as the client's, and a secret `kvsec_…` that asks for tokens (tokens.py)

The home cell stands in each so that the router can route without a database; the 26 characters are the public part. A secret
has 256 bits, so a plain SHA-256 of it is a safe thing to keep: slow hashes protect secrets that people choose.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from cells.tenants.tenant import ApiKey, CredentialType, Environment
from residency.errors import KovraError
from residency.ids import expand, mint

# What a key may do unless it is told less: `read` lets everything be read, a noun lets it be read and changed. Append-only.
SCOPES = frozenset({"read", "quotes", "recipients", "transfers", "wallets", "webhooks", "sandbox"})
# `transfers:read` lets transfers be read and nothing else.
GRANTABLE = SCOPES | {f"{noun}:read" for noun in SCOPES - {"read"}}
# Only for keys of the operator's own tenant; the table refuses it to any other.
ADMIN = "admin"

_KEY = re.compile(
    r"kv_(?P<environment>sandbox|live)_(?P<cell>[a-z]{2}[0-9]{1,4})_(?P<public>[0-9a-v]{26})_(?P<secret>[0-9a-v]{52})"
)
_KEY_ID = re.compile(r"key_[a-z]{2}[0-9]{1,4}_[0-9a-v]{26}")
_SECRET_BYTES = 32
_PREFIXES = {"signature": "kvsig_", "client": "kvsec_"}


class InvalidKey(KovraError):
    code = "invalid-api-key"
    status = 401
    title = "The API key is missing, unknown, expired or revoked"


class UnknownKey(KovraError):
    code = "unknown-key"
    status = 404
    title = "There is no such key in use"


class ScopeUnknown(KovraError):
    code = "unknown-scope"
    status = 422
    title = "That is not something a key can be allowed to do"


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


def mint_key(cell: str, environment: Environment, credential_type: CredentialType = "key") -> MintedKey:
    """A new key of a tenant at home in `cell`. `text` is the whole key, or of the other ways the secret beside its id."""
    key_id = mint("key", cell)
    secret = base64.b32hexencode(secrets.token_bytes(_SECRET_BYTES)).decode().rstrip("=").lower()
    if credential_type != "key":
        text = _PREFIXES[credential_type] + secret
        return MintedKey(key_id, digest_of(text), text)
    _, compact_cell, public = key_id.split("_")
    return MintedKey(key_id, digest_of(secret), f"kv_{environment}_{compact_cell}_{public}_{secret}")


def is_key_id(text: str) -> bool:
    """Whether `text` has the form of a key's id: what has not names no key, and is not looked for."""
    return _KEY_ID.fullmatch(text) is not None


def parse_key(text: str) -> PresentedKey:
    """Read a key. Raises InvalidKey, saying nothing about which part is wrong."""
    match = _KEY.fullmatch(text)
    if match is None:
        raise InvalidKey
    key_id = f"key_{match['cell']}_{match['public']}"
    return PresentedKey(match["environment"], expand(match["cell"]), key_id, digest_of(match["secret"]))


def check_key(
    presented: PresentedKey, stored: ApiKey | None, now: datetime, credential_type: CredentialType = "key"
) -> ApiKey:
    """The stored key, if the presented one opens it at `now`, as that type. Raises InvalidKey, the same whatever is wrong."""
    # The comparison runs even for an unknown key, so that the time taken does not tell which ids exist.
    expected = stored.secret_sha256 if stored else bytes(hashlib.sha256().digest_size)
    matches = hmac.compare_digest(presented.secret_sha256, expected)
    if stored is None or not matches or stored.credential_type != credential_type or not in_use(stored, now):
        raise InvalidKey
    return stored


def in_use(key: ApiKey, now: datetime) -> bool:
    """Whether it is neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def allows(scopes: frozenset[str], noun: str, *, reading: bool) -> bool:
    """Whether a key with these scopes may change (or only read) what `noun` names. Administration is never only reading."""
    if noun in scopes:
        return True
    return reading and noun != ADMIN and ("read" in scopes or f"{noun}:read" in scopes)


def grants(held: frozenset[str], scope: str) -> bool:
    """Whether who holds these scopes may ask for that one: one of them, or the reading of what one of them names."""
    noun, _, reading = scope.partition(":")
    return scope in held or (reading == "read" and allows(held, noun, reading=True))


def checked_scopes(wanted: Iterable[str], *, platform: bool = False) -> frozenset[str]:
    """What a key may be given. Raises ScopeUnknown."""
    known, chosen = GRANTABLE | {ADMIN} if platform else GRANTABLE, frozenset(wanted)
    if not chosen or not chosen <= known:
        raise ScopeUnknown(f"A key may have one or more of {', '.join(sorted(known))}.")
    return chosen


def digest_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
