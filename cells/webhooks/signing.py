"""How a delivery proves where it comes from, in two ways over the same bytes.

- Standard Webhooks (standardwebhooks.com): `webhook-id`, `webhook-timestamp`, `webhook-signature:
  v1,<HMAC-SHA256>` over
  `<id>.<timestamp>.<body>`, with the endpoint's secret. Cheap to check, and the timestamp stops replays.
- A detached JWS with unencoded payload (RFC 7515 appendix F, RFC 7797) over the body alone, in
  `Kovra-Signature-Jws`, with the
  tenant's own P-256 key: it proves the origin to third parties too. ES256, because every JOSE library has it.
"""

import base64
import json
import secrets
from datetime import datetime
from typing import Any, NamedTuple

from joserfc import jws
from joserfc.jwk import ECKey
from standardwebhooks import Webhook

JWS_HEADER = "Kovra-Signature-Jws"
_ALGORITHM = "ES256"
_SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of every such secret
_SECRET_BYTES = 32


class Signer(NamedTuple):
    """A tenant's key pair: `private_jwk` as JSON text (to be sealed), `public_jwk` as JSON text (to be
    published).
    """

    kid: str
    private_jwk: str
    public_jwk: str


def mint_secret() -> str:
    """A new endpoint secret in the form of Standard Webhooks, shown to its owner once."""
    return _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def mint_signer() -> Signer:
    """A new key pair; its kid is its RFC 7638 thumbprint."""
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": _ALGORITHM})
    kid = key.thumbprint()
    named = {**key.as_dict(private=True), "kid": kid}
    public = {**key.as_dict(private=False), "kid": kid}
    return Signer(kid, json.dumps(named), json.dumps(public))


def load_private(private_jwk: str) -> ECKey:
    """The key of Signer.private_jwk."""
    return ECKey.import_key(json.loads(private_jwk))


def sign(event_id: str, body: str, at: datetime, secret: str, key: ECKey) -> dict[str, str]:
    """The headers that a delivery of `body` carries when it is sent at `at` (aware)."""
    protected: dict[str, Any] = {"alg": _ALGORITHM, "b64": False, "crit": ["b64"], "kid": key.kid}
    detached = jws.serialize_compact(protected, body.encode(), key, algorithms=[_ALGORITHM])
    assert ".." in detached, "the payload of a JSON body is always detached"
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, at, body),
        JWS_HEADER: detached,
    }


def jwks(public_jwks: list[str]) -> dict[str, Any]:
    """The JWK set (RFC 7517) that partners fetch."""
    return {"keys": [json.loads(one) for one in public_jwks]}
