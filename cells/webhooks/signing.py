"""How a delivery proves where it comes from, in three ways over the same bytes.

- Standard Webhooks (standardwebhooks.com), symmetric: `webhook-id`, `webhook-timestamp`, and in `webhook-signature`
  `v1,<HMAC-SHA256>` over `<id>.<timestamp>.<body>` with the endpoint's secret; while a secret is being replaced, one for each.
  Cheap to check, and the timestamp stops replays.
- The same, asymmetric: `v1a,<Ed25519>` over the same text, in the same header, with the tenant's own key.
- A detached JWS with unencoded payload (RFC 7515 appendix F, RFC 7797) over the body alone, in `Kovra-Signature-Jws`, with the
  tenant's own P-256 key: it proves the origin to third parties too. ES256, because every JOSE library has it.
"""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey
from standardwebhooks import Webhook

JWS_HEADER = "Kovra-Signature-Jws"
JWS_ALGORITHM, V1A_ALGORITHM = "ES256", "Ed25519"
_SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of every such secret
_PUBLIC_PREFIX = "whpk_"
_SECRET_BYTES = 32


class Signer(NamedTuple):
    """One of a tenant's key pairs: `private_jwk` as JSON text (to be sealed), `public_jwk` as JSON text (to be published)."""

    algorithm: str
    kid: str
    private_jwk: str
    public_jwk: str


class SigningKeys(NamedTuple):
    """What an endpoint's deliveries are signed with, ready for use: a secret or several, and the tenant's two keys."""

    secrets: Sequence[Webhook]
    jws: ECKey
    v1a: Ed25519PrivateKey


def mint_secret() -> str:
    """A new endpoint secret in the form of Standard Webhooks, shown to its owner once."""
    return _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def mint_signers() -> list[Signer]:
    """A new key pair of each algorithm; its kid is its RFC 7638 thumbprint."""
    return [
        _signer(JWS_ALGORITHM, ECKey.generate_key("P-256", {"use": "sig", "alg": JWS_ALGORITHM})),
        # RFC 9864: the algorithm by its full name. The Standard Webhooks signature with it is no JWS.
        _signer(V1A_ALGORITHM, OKPKey.generate_key("Ed25519", {"use": "sig", "alg": V1A_ALGORITHM})),
    ]


def _signer(algorithm: str, key: ECKey | OKPKey) -> Signer:
    kid = key.thumbprint()
    private, public = ({**key.as_dict(private=half), "kid": kid} for half in (True, False))
    return Signer(algorithm, kid, json.dumps(private), json.dumps(public))


def load_keys(endpoint_secrets: Sequence[str], private_jwks: Mapping[str, str]) -> SigningKeys:
    """From opened texts: the endpoint's secrets, the tenant's private JWKs by algorithm."""
    seed = json.loads(private_jwks[V1A_ALGORITHM])["d"]
    return SigningKeys(
        [Webhook(one) for one in endpoint_secrets],
        ECKey.import_key(json.loads(private_jwks[JWS_ALGORITHM])),
        Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(seed + "=")),
    )


def sign(event_id: str, body: str, at: datetime, keys: SigningKeys) -> dict[str, str]:
    """The headers that a delivery of `body` carries when it is sent at `at` (aware)."""
    protected: dict[str, Any] = {"alg": JWS_ALGORITHM, "b64": False, "crit": ["b64"], "kid": keys.jws.kid}
    detached = jws.serialize_compact(protected, body.encode(), keys.jws, algorithms=[JWS_ALGORITHM])
    assert ".." in detached, "the payload of a JSON body is always detached"
    seconds = int(at.timestamp())
    v1a = base64.b64encode(keys.v1a.sign(f"{event_id}.{seconds}.{body}".encode())).decode()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join([*(one.sign(event_id, at, body) for one in keys.secrets), f"v1a,{v1a}"]),
        JWS_HEADER: detached,
    }


def jwks(public_jwks: Sequence[str]) -> dict[str, Any]:
    """The JWK set (RFC 7517) that partners fetch."""
    return {"keys": [json.loads(one) for one in public_jwks]}


def standard_public_key(public_jwks: Sequence[str]) -> str:
    """The Ed25519 key among them as Standard Webhooks writes it: `whpk_` and the base64 of its 32 bytes."""
    point = next(jwk["x"] for jwk in map(json.loads, public_jwks) if jwk["kty"] == "OKP")
    return _PUBLIC_PREFIX + base64.b64encode(base64.urlsafe_b64decode(point + "=")).decode()
