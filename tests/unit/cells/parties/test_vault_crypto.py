"""The vault's two layers of AES-256-GCM, without a database."""

import os

import pytest

from cells.backends.vault import RegionKeyMissing, RegionKeys, Sealed, SubjectRef, Vault, VaultUnreadable, WrappedKey
from residency.keys import KeysInvalid

KEYS = {"k1": os.urandom(32), "k2": os.urandom(32)}
VAULT = Vault("ID", KEYS, "k1")
SUBJECT = SubjectRef("ten_a", "rcp_a", "recipient")
OTHERS = [
    SubjectRef("ten_b", "rcp_a", "recipient"),
    SubjectRef("ten_a", "rcp_b", "recipient"),
    SubjectRef("ten_a", "rcp_a", "payer"),
]


def seal(data: bytes = b"Budi Santoso") -> Sealed:
    [sealed] = VAULT.seal([(SUBJECT, data)])
    return sealed


def test_a_batch_opens_in_its_order() -> None:
    items = [(SubjectRef("ten_a", f"rcp_{n}", "recipient"), f"data {n}".encode()) for n in range(100)]
    sealed = VAULT.seal(items)
    subjects = [subject for subject, _ in items]
    assert VAULT.open(list(zip(subjects, sealed, strict=True))) == [data for _, data in items]


def test_the_same_data_never_looks_the_same() -> None:
    one, other = seal(), seal()
    assert len({one.nonce, other.nonce}) == len({one.ciphertext, other.ciphertext}) == len({one.key, other.key}) == 2
    assert b"Budi" not in one.ciphertext


@pytest.mark.parametrize("subject", OTHERS, ids=["tenant", "subject", "kind"])
def test_a_record_is_bound_to_whose_it_is(subject: SubjectRef) -> None:
    with pytest.raises(VaultUnreadable):
        VAULT.open([(subject, seal())])


def test_a_record_is_bound_to_its_region() -> None:
    with pytest.raises(VaultUnreadable):
        Vault("EU", KEYS, "k1").open([(SUBJECT, seal())])


@pytest.mark.parametrize("part", ["nonce", "ciphertext", "wrapped"])
def test_an_altered_record_does_not_open(part: str) -> None:
    sealed = seal()
    flipped = {name: getattr(sealed, name) for name in ("nonce", "ciphertext")} | {"wrapped": sealed.key.wrapped}
    flipped[part] = bytes([flipped[part][0] ^ 1]) + flipped[part][1:]
    altered = Sealed(WrappedKey("k1", flipped["wrapped"]), flipped["nonce"], flipped["ciphertext"])
    with pytest.raises(VaultUnreadable) as refused:
        VAULT.open([(SUBJECT, altered)])
    assert "rcp_a" in refused.value.detail


def test_rewrapping_changes_the_key_and_not_the_data() -> None:
    sealed = seal()
    rotated = Vault("ID", KEYS, "k2")
    [key] = rotated.rewrap([(SUBJECT, sealed.key)])
    assert key.kid == "k2"
    only_new = Vault("ID", {"k2": KEYS["k2"]}, "k2")
    assert only_new.open([(SUBJECT, sealed._replace(key=key))]) == [b"Budi Santoso"]
    with pytest.raises(VaultUnreadable, match="k1"):
        only_new.open([(SUBJECT, sealed)])


def test_a_wrapped_key_cannot_be_relabelled() -> None:
    same_key_two_names = Vault("ID", {"k1": KEYS["k1"], "k9": KEYS["k1"]}, "k1")
    sealed = seal()
    with pytest.raises(VaultUnreadable):
        same_key_two_names.open([(SUBJECT, sealed._replace(key=WrappedKey("k9", sealed.key.wrapped)))])


def test_a_vault_goes_on_with_its_keys_where_they_cannot_be_read_again() -> None:
    def broken() -> RegionKeys:
        raise KeysInvalid("kek-k2.bin must hold 32 bytes.")

    vault = Vault("ID", {"k1": KEYS["k1"]}, "k1", read=broken)
    vault.refresh()
    assert vault.current_kid == "k1"
    assert vault.open([(SUBJECT, seal())]) == [b"Budi Santoso"]


def test_a_key_that_was_destroyed_opens_nothing_any_more() -> None:
    folder = dict(KEYS)
    vault = Vault("ID", folder, "k1", read=lambda: (folder, "k2"))
    del folder["k1"]
    vault.refresh()
    assert vault.current_kid == "k2"
    with pytest.raises(RegionKeyMissing, match="k1"):
        vault.open([(SUBJECT, seal())])
