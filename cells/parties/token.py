"""A recipient's token: how a cell names a recipient of another region without knowing anything about it.

`rcp_id1_<26>.<CUR>.<signature>`: the recipient's row key, the currency of its account, and an Ed25519
signature (base64url, no padding) by the issuing cell over `kovra-recipient-v1|<tenant_id>|<row key>|<CUR>`.
The tenant is signed but not written, so a token works only in the hands of the tenant that it was issued to,
and the paying cell checks that with no call.

The row key tells when it was minted (uuidv7), so a signing key vouches for the tokens minted while it was
valid, and rotating it ends none of them. A key that leaked is taken out of the directory, which ends all of
its tokens.
"""

import base64
import binascii
import re
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from residency.directory import CellEntry, Directory
from residency.errors import KovraError
from residency.ids import Identifier, MalformedId, parse

# An Ed25519 verification costs some 100 microseconds, a cached one less than one; an entry takes about 400
# bytes.
CACHE_TOKENS_MAX = 50_000
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{86}")
_CURRENCY = re.compile(r"[A-Z]{3}")
# The hosts of a cell do not share one clock: an id may be minted a moment before the key that signs it is
# valid.
_SKEW = timedelta(minutes=5)


class UnknownRecipient(KovraError):
    """Forged, altered, another tenant's, or of no cell we know: one answer, so that nothing can be learned
    from it."""

    code = "unknown-recipient"
    status = 422
    title = "There is no such recipient"


class WrongRecipientCurrency(KovraError):
    code = "recipient-currency"
    status = 422
    title = "That recipient's account is in another currency"


class RecipientToken(NamedTuple):
    """A token in its parts. `row_id` is the key of the recipient's row in the issuing cell; `cell` has its
    dash."""

    text: str
    row_id: str
    cell: str
    currency: str


class TokenCheck(NamedTuple):
    """One token to verify: who presents it, and the currency it is to be paid in (None: any)."""

    text: str
    tenant_id: str
    currency: str | None = None


def sign_tokens(key: Ed25519PrivateKey, tenant_id: str, recipients: Sequence[tuple[str, str]]) -> list[str]:
    """Tokens for `(row id, currency)` pairs of one tenant, in order."""
    return [
        f"{row_id}.{currency}.{_encode(key.sign(_message(tenant_id, row_id, currency)))}"
        for row_id, currency in recipients
    ]


def split_token(text: str) -> RecipientToken:
    """A token in its parts, not verified. Raises UnknownRecipient when it does not have the form of one."""
    return _split(text)[0]


class TokenVerifier:
    """Verifies tokens against the directory's public keys, remembering the last good ones.

    Make a new one whenever the directory is read again: what it remembers rests on the keys it was given.
    """

    def __init__(self, directory: Directory, cache_tokens_max: int = CACHE_TOKENS_MAX) -> None:
        self._directory = directory
        self._cache_max = cache_tokens_max
        self._good: OrderedDict[tuple[str, str], RecipientToken] = OrderedDict()

    def verify(self, checks: Sequence[TokenCheck]) -> list[RecipientToken | KovraError]:
        """For each check, in order, the token's parts, or UnknownRecipient or WrongRecipientCurrency as a
        value."""
        return [self._verify_one(check) for check in checks]

    def _verify_one(self, check: TokenCheck) -> RecipientToken | KovraError:
        key = (check.tenant_id, check.text)
        token = self._good.get(key)
        if token is None:
            try:
                token = self._verify_signature(check)
            except UnknownRecipient as error:
                return error
            self._good[key] = token
            if len(self._good) > self._cache_max:
                self._good.popitem(last=False)
        else:
            self._good.move_to_end(key)
        if check.currency is not None and check.currency != token.currency:
            return WrongRecipientCurrency(f"That recipient is paid in {token.currency}.", pointer="/recipient_id")
        return token

    def _verify_signature(self, check: TokenCheck) -> RecipientToken:
        token, identifier, signature = _split(check.text)
        cell = self._directory.cells.get(token.cell)
        if cell is None:
            raise _unknown()
        message = _message(check.tenant_id, token.row_id, token.currency)
        for public in _keys_at(cell, identifier):
            try:
                public.verify(signature, message)
            except InvalidSignature:
                continue
            return token
        raise _unknown()


def _keys_at(cell: CellEntry, identifier: Identifier) -> list[Ed25519PublicKey]:
    try:
        minted_at = datetime.fromtimestamp(identifier.milliseconds / 1000, UTC)
    except ValueError:
        return []  # a changed id may name a time beyond the calendar, in which no key was ever good
    return [
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.public_hex))
        for key in cell.keys
        if key.use == "signing" and key.not_before - _SKEW <= minted_at < key.not_after
    ]


def _split(text: str) -> tuple[RecipientToken, Identifier, bytes]:
    row_id, _, rest = text.partition(".")
    currency, _, signature = rest.partition(".")
    if not (_CURRENCY.fullmatch(currency) and _SIGNATURE.fullmatch(signature)):
        raise _unknown()
    try:
        identifier = parse(row_id, "rcp")
        raw = base64.b64decode(signature + "==", altchars=b"-_", validate=True)
    except (MalformedId, binascii.Error):
        raise _unknown() from None
    # Base64 has spare bits in its last character: only the canonical spelling is the token.
    if _encode(raw) != signature:
        raise _unknown()
    return RecipientToken(text, row_id, identifier.cell, currency), identifier, raw


def _unknown() -> UnknownRecipient:
    return UnknownRecipient(
        "The recipient is not one of yours. Use the id exactly as it was given at its creation.",
        pointer="/recipient_id",
    )


def _message(tenant_id: str, row_id: str, currency: str) -> bytes:
    return f"kovra-recipient-v1|{tenant_id}|{row_id}|{currency}".encode()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
