"""Profiles, ids and text: ids fit every scheme, text fits its rules."""

import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cells.rails.connection import SchemeSignatureInvalid, sign, verify
from cells.rails.iso20022.text import Unwritable, written
from cells.rails.profile import RailProfile
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import end_to_end_id, transaction_id, transfer_id_of, uetr
from cells.rails.registry import UnknownRail, profile_of
from residency.directory import load_directory
from residency.ids import MalformedId, mint

SHARED_CHARACTERS = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]{1,35}")


def test_every_rail_a_cell_declares_is_there_and_moves_its_currency() -> None:
    for cell in load_directory().cells.values():
        for rail in cell.rails:
            assert profile_of(rail).currency in cell.currencies


def test_an_unknown_rail_is_named() -> None:
    with pytest.raises(UnknownRail, match="bi_fast"):
        profile_of("carrier_pigeon")


def test_ids_fit_every_scheme_and_lead_back() -> None:
    transfer_id = mint("tr", "id-9999")
    reference = end_to_end_id(mint("tr", "eu-1"))
    assert SHARED_CHARACTERS.fullmatch(reference)
    assert SHARED_CHARACTERS.fullmatch(transaction_id(reference))
    assert transfer_id_of(end_to_end_id(transfer_id)) == transfer_id
    assert UUID(uetr(reference)).version == 4
    assert uetr(reference) == uetr(reference) != uetr(end_to_end_id(transfer_id))


@pytest.mark.parametrize("text", ["NOTPROVIDED", "", "wal-eu1-00000000000000000000000000"])
def test_a_foreign_reference_is_no_transfer(text: str) -> None:
    with pytest.raises(MalformedId):
        transfer_id_of(text)


@pytest.mark.parametrize("profile", rail_profiles().values(), ids=lambda one: one.name)
@given(text=st.text(max_size=300))
def test_written_text_always_fits(profile: RailProfile, text: str) -> None:
    rules = profile.text
    try:
        found = written(text, rules, rules.name_length)
    except Unwritable:
        return
    assert re.fullmatch(f"[{rules.characters}]+", found)
    assert len(found) <= rules.name_length
    assert found == found.strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Jürgen Weiß", "Jurgen Weiss"),
        ("Łukasz Ørsted", "Lukasz Orsted"),
        ("Smith & Sons", "Smith + Sons"),
        ("a\u0000b\nc", "a.b c"),
        ("O’Neil", "O'Neil"),
    ],
)
def test_spellings(text: str, expected: str) -> None:
    assert written(text, rail_profiles()["sepa_instant"].text, 70) == expected


def test_a_signature_holds_for_its_bytes_and_its_time_only() -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    headers = sign(b"secret", b"body", now)
    verify(b"secret", {name.lower(): value for name, value in headers.items()}, b"body", now)
    later = datetime.fromtimestamp(now.timestamp() + 301, UTC)
    for secret, body, at in (
        (b"other", b"body", now),
        (b"secret", b"body ", now),
        (b"secret", b"body", later),
    ):
        with pytest.raises(SchemeSignatureInvalid):
            verify(secret, headers, body, at)
    with pytest.raises(SchemeSignatureInvalid):
        verify(b"secret", {}, b"body", now)
