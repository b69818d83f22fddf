"""Tokens while the cell's signing key is followed by a new one: both verify, the new one signs, and the old one ends."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cells.tenants.tenant import ApiKey
from cells.tenants.tokens import LIFETIME_S, InvalidToken, TokenDesk, published
from residency.directory import PublicKey, load_directory
from residency.keys import public_hex

ISSUER = "https://eu-1.example"
KEY = ApiKey(
    "key_eu1_06l2r0k8q5o7t3v1a9c4e6g8io", "ten_eu1_x", bytes(32), frozenset({"quotes"}), credential_type="client"
)


def test_old_and_new_keys_overlap() -> None:
    now = datetime.now(UTC)
    pair = {f"eu1-signing-2026112{number}-1": Ed25519PrivateKey.generate() for number in (0, 1)}
    (old, old_private), (new, new_private) = pair.items()
    ends = now + timedelta(seconds=LIFETIME_S)
    keys = (
        PublicKey(
            kid=old, use="signing", public_hex=public_hex(old_private), not_before=now - timedelta(9), not_after=ends
        ),
        PublicKey(
            kid=new, use="signing", public_hex=public_hex(new_private), not_before=now, not_after=now + timedelta(9)
        ),
    )
    entry = load_directory().cell("eu-1").model_copy(update={"keys": keys})
    assert [one["kid"] for one in published(entry, now)] == [old, new]
    assert entry.current_key("signing", now).kid == new
    desk = TokenDesk(entry, ISSUER)
    for signer in pair.items():
        token = desk.issue(signer, KEY, frozenset({"quotes"}), "1", now)
        assert desk.read(token, now).scopes == {"quotes"}
        with pytest.raises(InvalidToken):
            TokenDesk(entry, "https://id-1.example").read(token, now)
    assert [one["kid"] for one in published(entry, ends)] == [new]
    with pytest.raises(InvalidToken):
        desk.read(desk.issue((old, old_private), KEY, frozenset({"quotes"}), "1", now), ends)
