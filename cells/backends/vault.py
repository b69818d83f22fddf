"""The vault's cryptography: personal data sealed with one data key per subject, each wrapped by the region's
key.

Both layers are AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces. The associated data binds each
ciphertext to its region, tenant, subject and kind, so that one moved to another row does not open. Destroying
a wrapped key is erasure: what it sealed is noise from then on, and rows and chains that name the subject stay
whole.

The region's keys come as `{kid: 32 bytes}` with the current kid; they rotate every 90 days. An old kid stays
in the mapping until `rewrap` has moved every subject off it, and then goes: with it goes what backups still
held under it. A process lives longer than a key: where the vault is told how, it reads the keys again from time
to time, and at once when it meets a kid that it does not know.

Pure: bytes in, bytes out, batch-first. The tables are cells/parties/store_subjects.py.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from residency.errors import KovraError
from residency.keys import KeysInvalid

_log = logging.getLogger("kovra.vault")

KEY_BYTES = 32
NONCE_BYTES = 12
# How long a vault seals under the keys that it read last.
_READ_EVERY_S = 30.0
# The region's keys by kid, and the kid to seal under.
RegionKeys = tuple[Mapping[str, bytes], str]


class VaultUnreadable(KovraError):
    """A sealed record that does not open: altered, moved, or sealed under a key that this cell no longer
    has."""

    code = "vault-unreadable"
    status = 500
    title = "A record in the vault cannot be read"


class RegionKeyMissing(VaultUnreadable):
    """The record was sealed under a key that this process does not find; whoever rotates keys has to bring it here."""

    code = "region-key-missing"
    status = 503
    title = "A key of the region has not arrived everywhere yet"


class SubjectRef(NamedTuple):
    """Whose data it is. `kind` says what the subject is to the cell: `recipient`, `payer`, `transfer`, `debtor`, `message`, …"""

    tenant_id: str
    subject_id: str
    kind: str


class WrappedKey(NamedTuple):
    """A subject's data key under the region's key `kid`: nonce, ciphertext and tag, 60 bytes."""

    kid: str
    wrapped: bytes


class Sealed(NamedTuple):
    """One subject's data, and the key that opens it."""

    key: WrappedKey
    nonce: bytes
    ciphertext: bytes


class Vault:
    """Seals and opens the personal data of one region."""

    def __init__(
        self, region: str, keys: Mapping[str, bytes], current_kid: str, *, read: Callable[[], RegionKeys] | None = None
    ) -> None:
        """`read` answers the keys as they are now, and may raise KovraError (KeysInvalid) or OSError: the vault then goes on with
        those that it has."""
        self.region = region
        self._read = read
        self._read_at = time.monotonic()
        self._take(keys, current_kid)

    def _take(self, keys: Mapping[str, bytes], current_kid: str) -> None:
        if current_kid not in keys or any(len(key) != KEY_BYTES for key in keys.values()):
            raise KeysInvalid("The region's keys have 32 bytes each, and the current one is among them.")
        self._keys = {kid: AESGCM(key) for kid, key in keys.items()}
        self._current_kid = current_kid

    @property
    def current_kid(self) -> str:
        """The kid of the region's key to seal under, at most some seconds old."""
        if time.monotonic() - self._read_at >= _READ_EVERY_S:
            self.refresh()
        return self._current_kid

    def refresh(self) -> None:
        """Read the region's keys again, where the vault is told how. One that has gone opens nothing from then on."""
        if self._read is None:
            return
        self._read_at = time.monotonic()
        try:
            self._take(*self._read())
        except (KovraError, OSError):
            # A key that is half in place must not stop a cell whose other keys are whole.
            _log.exception("the region's keys could not be read again; going on with those read before")

    def seal(self, items: Sequence[tuple[SubjectRef, bytes]]) -> list[Sealed]:
        """Seal each subject's data under a new data key, in order."""
        sealed: list[Sealed] = []
        for subject, data in items:
            data_key = os.urandom(KEY_BYTES)
            nonce = os.urandom(NONCE_BYTES)
            ciphertext = AESGCM(data_key).encrypt(nonce, data, self._bound("data", subject))
            sealed.append(Sealed(self._wrap(subject, data_key), nonce, ciphertext))
        return sealed

    def open(self, items: Sequence[tuple[SubjectRef, Sealed]]) -> list[bytes]:
        """What each subject's record says, in order. Raises VaultUnreadable, naming the subject's id."""
        opened: list[bytes] = []
        for subject, record in items:
            data_key = AESGCM(self._unwrap(subject, record.key))
            try:
                opened.append(data_key.decrypt(record.nonce, record.ciphertext, self._bound("data", subject)))
            except InvalidTag:
                raise VaultUnreadable(f"The record of {subject.subject_id} was altered or moved.") from None
        return opened

    def rewrap(self, items: Sequence[tuple[SubjectRef, WrappedKey]]) -> list[WrappedKey]:
        """Each data key under the current region's key, in order; the sealed data stays as it is."""
        return [self._wrap(subject, self._unwrap(subject, key)) for subject, key in items]

    def _wrap(self, subject: SubjectRef, data_key: bytes) -> WrappedKey:
        kid = self.current_kid
        nonce = os.urandom(NONCE_BYTES)
        return WrappedKey(kid, nonce + self._keys[kid].encrypt(nonce, data_key, self._bound(f"key|{kid}", subject)))

    def _unwrap(self, subject: SubjectRef, key: WrappedKey) -> bytes:
        if key.kid not in self._keys:
            self.refresh()
        region_key = self._keys.get(key.kid)
        if region_key is None:
            raise RegionKeyMissing(f"The region's key {key.kid} is not here; {subject.subject_id} was sealed under it.")
        nonce, wrapped = key.wrapped[:NONCE_BYTES], key.wrapped[NONCE_BYTES:]
        try:
            return region_key.decrypt(nonce, wrapped, self._bound(f"key|{key.kid}", subject))
        except InvalidTag:
            raise VaultUnreadable(f"The key of {subject.subject_id} was altered or moved.") from None

    def _bound(self, layer: str, subject: SubjectRef) -> bytes:
        # Ids, regions and kinds hold no `|`; kids come first and are the cell's own, so no two inputs read
        # alike.
        return "|".join(("kovra-vault-v1", layer, self.region, *subject)).encode()
