"""How the simulated bank sees who speaks SNAP to it: RSA under the request for a token, HMAC-SHA-512 under all others. Its own reading
of the standard, apart from the cell's.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from infra.schemes.config import SnapSettings
from residency.errors import UnexpectedAnswer

_WINDOW_S = 300
_JAKARTA = timezone(timedelta(hours=7))


class SnapGuard:
    """One rail's tokens, and whose signatures hold."""

    def __init__(self, settings: SnapSettings, client_secret: str) -> None:
        self._settings = settings
        self._secret = client_secret.encode()
        self._tokens: dict[str, float] = {}

    def grant(self, headers: Mapping[str, str]) -> str | None:
        """A new access token for whoever signed the request for one; None for anybody else."""
        at, client = headers.get("x-timestamp", ""), headers.get("x-client-key", "")
        key = load_pem_public_key(self._settings.public_key.encode())
        if not isinstance(key, RSAPublicKey):
            raise UnexpectedAnswer("SNAP signs with RSA keys only")
        try:
            key.verify(self._bytes(headers), f"{client}|{at}".encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            return None
        if client != self._settings.client_key or not _recent(at):
            return None
        token = secrets.token_urlsafe(32)
        self._tokens[token] = time.monotonic() + self._settings.token_s
        return token

    def objection(self, headers: Mapping[str, str], path: str, body: bytes) -> str | None:
        """The HTTP status and case under which a transaction's request is refused, "40101"; None when it is what it should be."""
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if self._tokens.get(token, 0.0) <= time.monotonic():
            return "40101"
        try:
            minified = json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False).encode()
        except ValueError:
            return "40000"
        at = headers.get("x-timestamp", "")
        signed = ":".join(("POST", path, token, hashlib.sha256(minified).hexdigest().lower(), at))
        expected = hmac.new(self._secret, signed.encode(), "sha512").digest()
        if not hmac.compare_digest(expected, self._bytes(headers)) or not _recent(at):
            return "40100"
        known = (headers.get("x-partner-id"), headers.get("channel-id"))
        if known != (self._settings.partner_id, self._settings.channel_id):
            return "40100"
        external = headers.get("x-external-id", "")
        return None if external.isdecimal() and len(external) <= 36 else "40002"

    def _bytes(self, headers: Mapping[str, str]) -> bytes:
        text = headers.get("x-signature", "")
        try:
            return bytes.fromhex(text) if self._settings.encoding == "hex" else base64.b64decode(text, validate=True)
        except ValueError:
            return b""


def notice_headers(settings: SnapSettings, path: str, body: bytes, external_id: str) -> dict[str, str]:
    """What the bank signs a notice of its own with: RSA, and no access token."""
    at = datetime.now(_JAKARTA).isoformat(timespec="seconds")
    minified = json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False).encode()
    signed = ":".join(("POST", path, hashlib.sha256(minified).hexdigest(), at))
    key = load_pem_private_key(settings.notice_key.encode(), None)
    if not isinstance(key, RSAPrivateKey):
        raise UnexpectedAnswer("SNAP signs with RSA keys only")
    signature = key.sign(signed.encode(), PKCS1v15(), SHA256())
    return {
        "X-TIMESTAMP": at,
        "X-SIGNATURE": signature.hex() if settings.encoding == "hex" else base64.b64encode(signature).decode(),
        "X-PARTNER-ID": settings.partner_id,
        "X-EXTERNAL-ID": external_id,
        "CHANNEL-ID": settings.channel_id,
        "Content-Type": "application/json",
    }


def _recent(at: str) -> bool:
    try:
        stated = datetime.fromisoformat(at)
    except ValueError:
        return False
    return stated.tzinfo is not None and abs(stated.timestamp() - time.time()) <= _WINDOW_S
