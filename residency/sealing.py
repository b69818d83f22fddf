"""Sealing: the travel-rule part is encrypted to one cell's X25519 key, and bound to the clear part it travels
with.

HPKE (RFC 9180) in base mode, X25519 with HKDF-SHA256 and AES-256-GCM. The library's `encrypt` takes no
associated data, so the clear part enters through `info`, as a domain tag and the SHA-256 of the clear bytes:
RFC 9180 section 5.1 mixes `info` into the key schedule, hence a sealed part opened beside any other clear
part has another key and fails to authenticate, exactly as with associated data.

Every sealing has a fresh ephemeral key, so equal people give unequal bytes and the hash of an envelope tells
nothing about them; the plaintext is padded, so its length does not either.
"""

import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from residency.errors import KovraError

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_DOMAIN = b"kovra-sealed-v1\x00"
_BLOCK_BYTES = 256


class SealUnreadable(KovraError):
    """The sealed part opens with none of this cell's keys beside this clear part, or does not hold what it
    must.
    """

    code = "seal-unreadable"
    title = "The sealed part cannot be opened here"


def seal_bytes(plaintext: bytes, public_key: X25519PublicKey, clear: bytes) -> bytes:
    """Encrypt JSON `plaintext` to `public_key`, bound to `clear`. Trailing spaces pad it to a multiple of 256
    bytes.
    """
    padded = plaintext.ljust(-(-len(plaintext) // _BLOCK_BYTES) * _BLOCK_BYTES)
    return _SUITE.encrypt(padded, public_key, info=_info(clear))


def open_bytes(sealed: bytes, private_key: X25519PrivateKey, clear: bytes) -> bytes:
    """The padded plaintext. Raises SealUnreadable."""
    try:
        return _SUITE.decrypt(sealed, private_key, info=_info(clear))
    except (InvalidTag, ValueError):
        raise SealUnreadable("It was sealed to another key, beside another clear part, or altered.") from None


def _info(clear: bytes) -> bytes:
    return _DOMAIN + hashlib.sha256(clear).digest()
