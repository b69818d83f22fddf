"""The three signatures of SNAP, and what each is made over. Pure.

- The request for an access token: SHA256withRSA by our key, over `client key|timestamp`.
- A transaction: HMAC-SHA-512 with the client secret, over `METHOD:endpoint:access token:digest:timestamp`.
- A notification to us: SHA256withRSA by the bank's key, over `METHOD:endpoint:digest:timestamp`.

`digest` is the lower-case hex SHA-256 of the body without the white space between its tokens; a body is never written anew for it.
Timestamps are text with an offset from UTC, signed as they stand in the header.
Source: ASPI, "Standar Teknis dan Keamanan" of SNAP, https://apidevportal.aspi-indonesia.or.id/docs/standar-teknis-keamanan.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_JAKARTA = ZoneInfo("Asia/Jakarta")
# A string with what is escaped inside it, or white space between tokens. Possessive, and a string without an end runs to the end of the
# body: what is not signed yet must not cost more than its length.
_STRING_OR_SPACE = re.compile(rb'("(?:[^"\\]++|\\.)*+(?:"|\\?\Z))|[ \t\r\n]+', re.DOTALL)


@dataclass(frozen=True, slots=True)
class SignatureForm:
    """How one bank writes signatures: base64 as the standard's formulas, hex as its samples; whether the endpoint that is signed has its query."""

    encoding: Literal["base64", "hex"] = "base64"
    signs_query: bool = True

    def written(self, signature: bytes) -> str:
        return signature.hex() if self.encoding == "hex" else base64.b64encode(signature).decode()

    def read(self, text: str) -> bytes:
        """The signature's bytes; none when the text is not in this form."""
        try:
            return bytes.fromhex(text) if self.encoding == "hex" else base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            return b""

    def endpoint(self, path: str) -> str:
        """The path as it is signed: `/v1.0/transfer-interbank`, with its query or without."""
        return path if self.signs_query else path.partition("?")[0]


STANDARD = SignatureForm()


def instant(stamp: str) -> datetime:
    """The aware datetime of a timestamp; one without an offset is Jakarta's. Raises ValueError."""
    stated = datetime.fromisoformat(stamp)
    return stated.replace(tzinfo=_JAKARTA) if stated.tzinfo is None else stated


def timestamp(at: datetime) -> str:
    """`2026-11-21T11:20:00+07:00`: Jakarta's time."""
    return at.astimezone(_JAKARTA).isoformat(timespec="seconds")


def minified(body: bytes) -> bytes:
    """The body without the white space outside its strings, in time linear in its length."""
    return _STRING_OR_SPACE.sub(lambda found: found[1] or b"", body)


def digest(body: bytes) -> str:
    return hashlib.sha256(minified(body)).hexdigest()


def sign_token_request(key: rsa.RSAPrivateKey, client_key: str, at: str, form: SignatureForm = STANDARD) -> str:
    """X-SIGNATURE of the request for an access token."""
    return form.written(key.sign(f"{client_key}|{at}".encode(), padding.PKCS1v15(), hashes.SHA256()))


def sign_transaction(
    secret: bytes, method: str, path: str, token: str, body: bytes, at: str, form: SignatureForm = STANDARD
) -> str:
    """X-SIGNATURE of every other request of ours. `path` from the host on."""
    text = f"{method}:{form.endpoint(path)}:{token}:{digest(body)}:{at}"
    return form.written(hmac.new(secret, text.encode(), hashlib.sha512).digest())


def sign_notification(
    key: rsa.RSAPrivateKey, method: str, path: str, body: bytes, at: str, form: SignatureForm = STANDARD
) -> str:
    """X-SIGNATURE of what is sent without an access token."""
    text = f"{method}:{form.endpoint(path)}:{digest(body)}:{at}"
    return form.written(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))


def is_token_request(
    key: rsa.RSAPublicKey, client_key: str, at: str, signature: str, form: SignatureForm = STANDARD
) -> bool:
    """Whether the holder of the key signed this request for a token."""
    return _verified(key, form.read(signature), f"{client_key}|{at}")


def is_notification(
    key: rsa.RSAPublicKey, method: str, path: str, body: bytes, at: str, signature: str, form: SignatureForm = STANDARD
) -> bool:
    """Whether the holder of the key signed this notification. Whether `at` is recent is for the caller to see."""
    return _verified(key, form.read(signature), f"{method}:{form.endpoint(path)}:{digest(body)}:{at}")


def private_key(pem: bytes) -> rsa.RSAPrivateKey:
    """Raises ValueError, TypeError for anything but an RSA key in clear."""
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("SNAP signs with RSA keys only")
    return key


def public_key(pem: bytes) -> rsa.RSAPublicKey:
    """Raises ValueError, TypeError for anything but an RSA public key."""
    key = serialization.load_pem_public_key(pem)
    if not isinstance(key, rsa.RSAPublicKey):
        raise TypeError("SNAP signs with RSA keys only")
    return key


def _verified(key: rsa.RSAPublicKey, signature: bytes, text: str) -> bool:
    try:
        key.verify(signature, text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
