"""A partner's signed request, as one would write it with nothing but the standard library (RFC 9421, RFC 9530)."""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from types import MappingProxyType


def signed(
    key_id: str,
    secret: str,
    method: str,
    target: str,
    body: bytes = b"",
    *,
    idempotency_key: str | None = None,
    created: int | None = None,
    nonce: str | None = None,
    region: str = "EU",
    authority: str | None = None,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Mapping[str, str]:
    """The headers that sign a request to that region. `target`: path and query as they will be sent; `authority`: the API's host, to cover it; `more`: values of headers to
    cover, which are not among those answered."""
    key = hmac.digest(secret.encode(), f"kovra-signature:{region}".encode(), "sha256")
    path, _, query = target.partition("?")
    covered = {"@method": method, "@path": path, "@query": f"?{query}"}
    if authority is not None:
        covered["@authority"] = authority
    headers = {}
    if body:
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        headers["Content-Digest"] = covered["content-digest"] = f"sha-256=:{digest}:"
    if idempotency_key is not None:
        headers["Idempotency-Key"] = covered["idempotency-key"] = idempotency_key
    covered |= more
    names = " ".join(f'"{name}"' for name in covered)
    at, once = created or int(time.time()), nonce or secrets.token_urlsafe(16)
    params = f'({names});created={at};keyid="{key_id}";nonce="{once}"'
    lines = [*(f'"{name}": {value}' for name, value in covered.items()), f'"@signature-params": {params}']
    mac = hmac.digest(key, "\n".join(lines).encode(), "sha256")
    headers |= {"Signature-Input": f"sig1={params}", "Signature": f"sig1=:{base64.b64encode(mac).decode()}:"}
    return headers
