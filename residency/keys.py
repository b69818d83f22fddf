"""A cell's private keys, read from `<home>/<cell>/keys`. Rotation is having several: the directory's validity
says which is current.

    signing-<kid>.pem   Ed25519, PKCS #8   signs envelopes, receipts, recipient tokens, checkpoints
    sealing-<kid>.pem   X25519, PKCS #8    opens what peers sealed to this cell
    kek-<kid>.bin       32 bytes           wraps the data keys of the region's vault

A kid is `<cell without dash>-<use>-<yyyymmdd>-<n>`, such as `eu1-signing-20261120-1`; kids sort by age within
a use. Files must be readable by their owner only.

A key-encryption key is announced, then used: it opens from the moment it is in the folder, and wraps only
KEK_ANNOUNCED later, when every process of the cell has read it. Retire a key by letting a newer one begin; its `not_after`
must outlast the longest outage that messages signed with it may have to wait out, because an envelope is
never signed again.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from residency.directory import Directory
from residency.errors import KovraError
from residency.ids import compact

Use = Literal["signing", "sealing", "kek"]
KID_PATTERN = r"^[a-z]{2}[0-9]{1,4}-(signing|sealing|kek)-[0-9]{8}-[0-9]{1,4}$"
KEK_BYTES = 32
# A mounted secret reaches the last process of a cell within two minutes; the rest is room.
KEK_ANNOUNCED = timedelta(minutes=5)
_FILE = re.compile(r"^(?P<use>signing|sealing|kek)-(?P<kid>[a-z0-9-]+)\.(pem|bin)$")


class KeysInvalid(KovraError):
    code = "keys-invalid"
    title = "The keys of this cell are missing or cannot be used"


def kid_for(cell: str, use: Use, born: datetime, number: int = 1) -> str:
    """The kid of a key of `cell` born on the UTC day of `born`; `number` tells several of one day apart."""
    return f"{compact(cell)}-{use}-{born.astimezone(UTC):%Y%m%d}-{number}"


@dataclass(frozen=True, slots=True)
class CellKeys:
    """Private keys by kid. Never shown: the repr names kids only where dataclass would print keys."""

    cell: str
    signing: Mapping[str, Ed25519PrivateKey] = field(repr=False)
    sealing: Mapping[str, X25519PrivateKey] = field(repr=False)
    keks: Mapping[str, bytes] = field(repr=False)

    def signer(self, directory: Directory, at: datetime) -> tuple[str, Ed25519PrivateKey]:
        """The key to sign with at `at`, and its kid. Raises KeysInvalid, DirectoryInvalid."""
        kid = directory.cell(self.cell).current_key("signing", at).kid
        try:
            return kid, self.signing[kid]
        except KeyError:
            raise KeysInvalid(f"{self.cell} has no private key {kid}, which the directory says is current.") from None


def wrapping_kid(since: Mapping[str, datetime], now: datetime) -> str:
    """The kid to wrap under at `now`: the newest that has been announced for long enough, by when each came. Where none has (a new cell, a
    restored folder), the oldest, which is the one that most processes know.
    """
    announced = [kid for kid, came in since.items() if came + KEK_ANNOUNCED <= now]
    return max(announced, key=_age) if announced else min(since, key=_age)


def read_keks(home: Path, cell: str, now: datetime) -> tuple[dict[str, bytes], str]:
    """The key-encryption keys of `cell` as they lie under `home`, and the kid to wrap under at `now` (aware). Raises KeysInvalid."""
    folder = home / cell / "keys"
    keks: dict[str, bytes] = {}
    since: dict[str, datetime] = {}
    for path, use, kid in _key_files(folder, cell):
        if use == "kek":
            keks[kid] = _kek(path, _read_private(path))
            since[kid] = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    if not keks:
        raise KeysInvalid(f"{folder} must hold a key-encryption key.")
    return keks, wrapping_kid(since, now)


def _age(kid: str) -> tuple[str, int]:
    day, number = kid.rsplit("-", 2)[1:]
    return day, int(number)


def load_keys(home: Path, cell: str, directory: Directory | None = None) -> CellKeys:
    """Read every key of `cell` under `home`; with `directory`, insist that the published public keys are
    theirs.

    Raises KeysInvalid.
    """
    folder = home / cell / "keys"
    signing: dict[str, Ed25519PrivateKey] = {}
    sealing: dict[str, X25519PrivateKey] = {}
    keks: dict[str, bytes] = {}
    for path, use, kid in _key_files(folder, cell):
        data = _read_private(path)
        if use == "signing":
            signing[kid] = _signing_key(path, data)
        elif use == "sealing":
            sealing[kid] = _sealing_key(path, data)
        else:
            keks[kid] = _kek(path, data)
    if not (signing and sealing and keks):
        raise KeysInvalid(f"{folder} must hold a signing, a sealing and a key-encryption key.")
    keys = CellKeys(cell, signing, sealing, keks)
    if directory is not None:
        _match_directory(keys, directory)
    return keys


def _key_files(folder: Path, cell: str) -> Iterator[tuple[Path, str, str]]:
    """Each file of a key with its use and kid. Raises KeysInvalid for one whose name is not of `cell`."""
    for path in sorted(folder.glob("*-*.*")):
        match = _FILE.match(path.name)
        if match is None:
            continue
        use, kid = match["use"], match["kid"]
        if re.match(KID_PATTERN, kid) is None or not kid.startswith(f"{compact(cell)}-{use}-"):
            raise KeysInvalid(f"{path.name} is not named by the kid of a {use} key of {cell}.")
        yield path, use, kid


def _read_private(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise KeysInvalid(f"{path} can be read by others; set its mode to 0600.")
    return path.read_bytes()


def _private_key(path: Path, data: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(data, password=None)
    except (ValueError, TypeError):
        raise KeysInvalid(f"{path.name} is not an unencrypted PKCS #8 PEM file.") from None


def _kek(path: Path, data: bytes) -> bytes:
    if len(data) != KEK_BYTES:
        raise KeysInvalid(f"{path.name} must hold {KEK_BYTES} bytes.")
    return data


def _signing_key(path: Path, data: bytes) -> Ed25519PrivateKey:
    key = _private_key(path, data)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeysInvalid(f"{path.name} does not hold an Ed25519 key.")
    return key


def _sealing_key(path: Path, data: bytes) -> X25519PrivateKey:
    key = _private_key(path, data)
    if not isinstance(key, X25519PrivateKey):
        raise KeysInvalid(f"{path.name} does not hold an X25519 key.")
    return key


def public_hex(key: Ed25519PrivateKey | X25519PrivateKey) -> str:
    """The public half as the directory writes it: 32 raw bytes in hex."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def _match_directory(keys: CellKeys, directory: Directory) -> None:
    for published in directory.cell(keys.cell).keys:
        held = keys.signing.get(published.kid) if published.use == "signing" else keys.sealing.get(published.kid)
        # A retired private key may be destroyed while its public half still verifies the past.
        if held is not None and public_hex(held) != published.public_hex:
            raise KeysInvalid(f"The directory publishes another public key under {published.kid}.")
