"""Access tokens of the client credentials grant (RFC 6749 section 4.4): JWTs in the profile of RFC 9068, signed with Ed25519. Pure.

A cell issues its own tokens and takes no other's: a cell whose tokens opened the others could act as any partner everywhere. A
client is known in every cell its tenant is in, and asks each for a token. The keys are those that the cell signs everything else
with (each other use has a domain of its own before what it signs); the directory publishes them, and says from when to when.
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.errors import ExpiredTokenError
from joserfc.jwk import OKPKey

from cells.tenants.tenant import ApiKey
from residency.directory import CellEntry
from residency.errors import KovraError

LIFETIME_S = 600
TYPE = "at+jwt"
_ALGORITHM = "Ed25519"
# Of what it should be; nobody needs a longer one.
LENGTH_MAX = 2_048


class InvalidToken(KovraError):
    """Not issued by this cell, not for this cell, altered, or its client was revoked. Tokens of one region open nothing in another."""

    code = "invalid-token"
    status = 401
    title = "The access token is not one of this cell's"


class TokenExpired(KovraError):
    """Ask for another; it lives ten minutes."""

    code = "token-expired"
    status = 401
    title = "The access token has expired"


class Claims(NamedTuple):
    """What a good token says. `expires_at` in Unix seconds."""

    key_id: str
    scopes: frozenset[str]
    expires_at: int


def public_jwk(kid: str, raw_hex: str) -> dict[str, str]:
    """A signing key of the directory as others read it (RFC 8037)."""
    x = base64.urlsafe_b64encode(bytes.fromhex(raw_hex)).decode().rstrip("=")
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": _ALGORITHM, "kid": kid, "x": x}


def published(entry: CellEntry, at: datetime) -> list[dict[str, str]]:
    """The keys that a token may be signed with at `at`, soon or just now: the newest signs, and the old overlap with it."""
    return [public_jwk(one.kid, one.public_hex) for one in entry.keys if one.use == "signing" and at < one.not_after]


class TokenDesk:
    """Issues and reads the tokens of one cell. `issuer` is its address, and whom its tokens are for."""

    def __init__(self, entry: CellEntry, issuer: str) -> None:
        self._entry = entry
        self._issuer = issuer
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(datetime.now(UTC).timestamp()),
            leeway=0,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": issuer},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            jti={"essential": True},
        )

    def issue(
        self, signer: tuple[str, Ed25519PrivateKey], key: ApiKey, scopes: frozenset[str], jti: str, at: datetime
    ) -> str:
        """A token for `key`, good for LIFETIME_S from `at`. `signer`: keys.signer of the cell."""
        kid, private = signer
        seconds = int(at.timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._issuer,
            "sub": key.key_id,
            "client_id": key.key_id,
            "scope": " ".join(sorted(scopes)),
            "iat": seconds,
            "exp": seconds + LIFETIME_S,
            "jti": jti,
        }
        header = {"alg": _ALGORITHM, "typ": TYPE, "kid": kid}
        return jwt.encode(header, claims, OKPKey.import_key(private), algorithms=[_ALGORITHM])

    def read(self, text: str, at: datetime) -> Claims:
        """Raises InvalidToken, TokenExpired."""
        if len(text) > LENGTH_MAX:
            raise InvalidToken
        keys = {one["kid"]: one for one in published(self._entry, at)}
        try:
            token = jwt.decode(text, lambda found: _key(found.headers(), keys), algorithms=[_ALGORITHM])
            self._claims.validate(token.claims)
            claims = token.claims
            return Claims(str(claims["sub"]), frozenset(str(claims["scope"]).split()), int(claims["exp"]))
        except ExpiredTokenError:
            raise TokenExpired from None
        except Exception:  # noqa: BLE001 - whatever the library raises on a stranger's text: nested too deep, odd members, numbers beyond all
            raise InvalidToken from None


def _key(header: Mapping[str, object], keys: Mapping[str, dict[str, str]]) -> OKPKey:
    """The key that a token's header names. Raises KeyError for one that is not this cell's."""
    if header.get("typ") != TYPE:
        raise KeyError("typ")
    return OKPKey.import_key(dict(keys[str(header["kid"])]))
