"""HMAC-SHA-256 over `timestamp.body`, in hex: how a scheme and its participant know each other's messages."""

import hashlib
import hmac
import time
from collections.abc import Mapping

PARTICIPANT = "Scheme-Participant"
_TIMESTAMP = "Scheme-Timestamp"
_SIGNATURE = "Scheme-Signature"
_WINDOW_S = 300


def signed_headers(secret: bytes, body: bytes) -> dict[str, str]:
    timestamp = str(int(time.time()))
    return {_TIMESTAMP: timestamp, _SIGNATURE: _mac(secret, timestamp, body)}


def is_signed(secret: bytes, headers: Mapping[str, str], body: bytes) -> bool:
    """`headers` must look names up case-insensitively, as Starlette's do."""
    timestamp, signature = headers.get(_TIMESTAMP, ""), headers.get(_SIGNATURE, "")
    if not timestamp.isdecimal() or len(timestamp) > 12 or abs(time.time() - int(timestamp)) > _WINDOW_S:
        return False
    return hmac.compare_digest(_mac(secret, timestamp, body).encode(), signature.encode())


def _mac(secret: bytes, timestamp: str, body: bytes) -> str:
    return hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
