"""Reading a cell's private keys: named by kid, private to their owner, matching the directory."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from residency.directory import Directory
from residency.keys import KEK_ANNOUNCED, CellKeys, KeysInvalid, kid_for, load_keys, wrapping_kid
from tests.support.border import NOW, make_keys, make_world


def write(home: Path, keys: CellKeys) -> Path:
    folder = home / keys.cell / "keys"
    folder.mkdir(parents=True)
    for use, held in (("signing", keys.signing), ("sealing", keys.sealing)):
        for kid, key in held.items():
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            (folder / f"{use}-{kid}.pem").write_bytes(pem)
    for kid, kek in keys.keks.items():
        (folder / f"kek-{kid}.bin").write_bytes(kek)
    for path in folder.iterdir():
        path.chmod(0o600)
    return folder


def test_what_was_written_is_read(tmp_path: Path) -> None:
    world = make_world()
    write(tmp_path, world.keys["eu-1"])
    loaded = load_keys(tmp_path, "eu-1", world.directory)
    assert loaded.keks == world.keys["eu-1"].keks
    kid, key = loaded.signer(world.directory, NOW)
    assert kid == kid_for("eu-1", "signing", NOW)
    assert key.sign(b"x") == world.keys["eu-1"].signing[kid].sign(b"x")


def test_the_newest_announced_kek_wraps_also_past_nine_of_a_day() -> None:
    kids = [kid_for("eu-1", "kek", NOW, number) for number in (2, 10, 9)]
    assert wrapping_kid(dict.fromkeys(kids, NOW - KEK_ANNOUNCED), NOW) == kids[1]


def test_a_new_kek_is_announced_before_it_wraps() -> None:
    old, new = kid_for("eu-1", "kek", NOW, 1), kid_for("eu-1", "kek", NOW, 2)
    came = {old: NOW - timedelta(days=89), new: NOW}
    assert wrapping_kid(came, NOW + KEK_ANNOUNCED - timedelta(seconds=1)) == old
    assert wrapping_kid(came, NOW + KEK_ANNOUNCED) == new
    assert wrapping_kid({old: NOW, new: NOW}, NOW) == old, "all came at once: the one that most processes know"
    assert wrapping_kid({new: NOW}, NOW) == new, "a new cell has one, and begins"


def test_keys_never_show(tmp_path: Path) -> None:
    keys = make_keys("eu-1")
    assert next(iter(keys.keks.values())).hex() not in repr(keys)
    assert "kek" not in repr(keys)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda folder: next(folder.glob("kek-*")).chmod(0o640), "0600"),
        (lambda folder: next(folder.glob("kek-*")).write_bytes(b"short"), "32 bytes"),
        (lambda folder: next(folder.glob("signing-*")).write_bytes(b"no key"), "PEM"),
        (lambda folder: next(folder.glob("sealing-*")).unlink(), "must hold"),
        (
            lambda folder: next(folder.glob("signing-*")).write_bytes(next(folder.glob("sealing-*")).read_bytes()),
            "Ed25519",
        ),
        (
            lambda folder: next(folder.glob("signing-*")).rename(folder / "signing-uk1-signing-20261120-1.pem"),
            "not named",
        ),
    ],
)
def test_bad_key_files_are_named(tmp_path: Path, spoil: Callable[[Path], object], why: str) -> None:
    folder = write(tmp_path, make_keys("eu-1"))
    spoil(folder)
    with pytest.raises(KeysInvalid, match=why):
        load_keys(tmp_path, "eu-1")


def test_a_directory_that_publishes_another_key_is_found_at_boot(tmp_path: Path) -> None:
    write(tmp_path, make_keys("eu-1"))
    with pytest.raises(KeysInvalid, match="another public key"):
        load_keys(tmp_path, "eu-1", make_world().directory)


def test_a_key_the_directory_calls_current_must_be_held() -> None:
    directory: Directory = make_world().directory
    with pytest.raises(KeysInvalid, match="no private key"):
        make_keys("eu-1", number=2).signer(directory, NOW)
