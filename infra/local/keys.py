"""Keys are born here, at first start, and followed by new ones at a later start when they near their end.

Per cell: an Ed25519 key that signs, an X25519 key that peers seal to, and the region's key that wraps the data keys of
its vault; in the files that residency/keys.py reads. A key's life is counted from the day in its kid, so that nothing
else needs to be remembered of it.

Invariant: a key is never overwritten and never removed here: an old one still opens and verifies what is old.
"""

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from infra.local.home import Home, ensure_directory, write_file
from residency.directory import OVERLAY
from residency.keys import KEK_BYTES, CellKeys, Use, kid_for, load_keys, public_hex

LIFE: Mapping[Use, timedelta] = {
    "signing": timedelta(days=365),
    "sealing": timedelta(days=365),
    # DESIGN.md section 6: the region's key is rotated every 90 days.
    "kek": timedelta(days=90),
}
_RENEW_BEFORE_END = timedelta(days=15)

PublicEntry = dict[str, str]


def ensure_keys(home: Home, cell: str, now: datetime) -> list[PublicEntry]:
    """Give `cell` the keys it lacks at `now` (aware); return the public ones, as the overlay writes them."""
    directory = ensure_directory(home.keys(cell), 0o700)
    for use, life in LIFE.items():
        newest = max((_born(path.stem) for path in directory.glob(f"{use}-*")), default=None)
        if newest is None or newest + life - now < _RENEW_BEFORE_END:
            _mint(directory, cell, use, now)
    held = _public_entries(load_keys(home.root, cell))
    return [*(entry for entry in _published(home, cell) if entry["kid"] not in held), *held.values()]


def _born(kid: str) -> datetime:
    """Midnight UTC of the day in a kid (or in a file's name, which ends with one)."""
    return datetime.strptime(kid.rsplit("-", 2)[1], "%Y%m%d").replace(tzinfo=UTC)


def _mint(directory: Path, cell: str, use: Use, now: datetime) -> None:
    number = 1
    while list(directory.glob(f"{use}-{kid_for(cell, use, now, number)}.*")):
        number += 1
    kid = kid_for(cell, use, now, number)
    if use == "kek":
        write_file(directory / f"kek-{kid}.bin", secrets.token_bytes(KEK_BYTES), 0o600)
        return
    key = Ed25519PrivateKey.generate() if use == "signing" else X25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_file(directory / f"{use}-{kid}.pem", pem, 0o600)


def _public_entries(keys: CellKeys) -> dict[str, PublicEntry]:
    signing: dict[str, PublicEntry] = {kid: _entry(kid, "signing", key) for kid, key in keys.signing.items()}
    return signing | {kid: _entry(kid, "sealing", key) for kid, key in keys.sealing.items()}


def _entry(kid: str, use: Use, key: Ed25519PrivateKey | X25519PrivateKey) -> PublicEntry:
    born = _born(kid)
    return {
        "kid": kid,
        "use": use,
        "public_hex": public_hex(key),
        "not_before": born.isoformat(),
        "not_after": (born + LIFE[use]).isoformat(),
    }


def _published(home: Home, cell: str) -> list[PublicEntry]:
    """What the overlay says already: a retired private key may be gone while its public half still verifies."""
    overlay = home.root / OVERLAY
    if not overlay.exists():
        return []
    entries: list[PublicEntry] = json.loads(overlay.read_text())["cells"].get(cell, {}).get("keys", [])
    return entries
