"""The envelope: forged, altered, misdirected, outdated ones are refused; the seal opens for one cell only."""

import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from residency.directory import Directory
from residency.envelope import (
    CLOCK_SKEW,
    ENVELOPE_BYTES_MAX,
    EnvelopeRefused,
    Header,
    OpenedEnvelope,
    open_envelope,
    seal_and_sign,
    unseal,
)
from residency.jurisdictions import NoCorridor
from residency.keys import CellKeys, kid_for
from residency.messages import Receipt
from residency.sealing import SealUnreadable, seal_bytes
from residency.travel_rule import CrossingRefused, crossed_fields, demand, select
from tests.support.border import (
    NOW,
    PAYER_NAME,
    REMITTANCE,
    World,
    instructed,
    make_keys,
    make_world,
    parties,
    published,
    settled,
    with_keys,
)

WORLD = make_world()
LEAST = select(parties(), demand("EU", "ID", "IDR", 20_000_000_000))
SENT = seal_and_sign(instructed(), LEAST, 1, WORLD.keys["eu-1"], WORLD.directory, to_cell="id-1", at=NOW)


def refused(data: bytes, directory: Directory = WORLD.directory, here: str = "id-1", at: datetime = NOW) -> str:
    with pytest.raises(EnvelopeRefused) as refusal:
        open_envelope(data, directory, here=here, at=at)
    return refusal.value.reason


def opened(data: bytes = SENT.data, world: World = WORLD) -> OpenedEnvelope:
    return open_envelope(data, world.directory, here="id-1", at=NOW)


def frames(data: bytes) -> list[bytes]:
    """Header, message, sealed part and signature, as they stand."""
    parts, position = [], 4
    for _ in range(3):
        (length,) = struct.unpack_from(">I", data, position)
        parts.append(data[position + 4 : position + 4 + length])
        position += 4 + length
    return [*parts, data[position:]]


def resigned(header: bytes, message: bytes, sealed: bytes, keys: CellKeys = WORLD.keys["eu-1"]) -> bytes:
    """What an insider with the cell's key could send: any bytes, properly signed."""
    data = b"KVB1" + b"".join(struct.pack(">I", len(part)) + part for part in (header, message, sealed))
    (key,) = keys.signing.values()
    return data + key.sign(b"kovra-envelope-v1\x00" + data)


def test_it_opens_at_its_destination_with_all_it_held() -> None:
    envelope = opened()
    assert (envelope.kind, envelope.sequence, envelope.from_cell, envelope.to_cell) == (
        "instructed",
        1,
        "eu-1",
        "id-1",
    )
    assert envelope.sha256 == hashlib.sha256(SENT.data).digest() == SENT.sha256
    assert unseal(envelope, WORLD.keys["id-1"]) == LEAST
    assert envelope.header.sealed_fields == crossed_fields(LEAST)


def test_nothing_personal_is_readable_on_the_way() -> None:
    for personal in (PAYER_NAME, REMITTANCE, "Storgatan", "SE4550000000058398257466", "1979"):
        assert personal.encode() not in SENT.data


def test_equal_people_give_unequal_bytes_and_their_length_is_hidden() -> None:
    longer = select(parties(name=PAYER_NAME + "-and-a-little"), demand("EU", "ID", "IDR", 20_000_000_000))
    message = instructed()
    sizes, hashes = set(), set()
    for sealed in (LEAST, LEAST, longer):
        envelope = seal_and_sign(message, sealed, 1, WORLD.keys["eu-1"], WORLD.directory, to_cell="id-1", at=NOW)
        sizes.add(len(envelope.data))
        hashes.add(frames(envelope.data)[2])
    assert len(sizes) == 1
    assert len(hashes) == 3


def test_every_single_altered_byte_is_refused() -> None:
    for position in range(len(SENT.data)):
        altered = bytearray(SENT.data)
        altered[position] ^= 1
        refused(bytes(altered))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_cut_insertion_or_overwrite_survives(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(SENT.data)))
    end = data.draw(st.integers(start, min(len(SENT.data), start + 40)))
    altered = SENT.data[:start] + data.draw(st.binary(max_size=40)) + SENT.data[end:]
    if altered != SENT.data:
        refused(altered)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2_000))
def test_arbitrary_bytes_are_refused_and_raise_nothing_else(data: bytes) -> None:
    refused(data)
    refused(b"KVB1" + data)


def test_an_oversized_envelope_is_refused_unread() -> None:
    assert refused(SENT.data + bytes(ENVELOPE_BYTES_MAX)) == "frame"


def test_a_forger_with_keys_of_his_own_is_refused() -> None:
    forger = replace(
        make_keys("eu-1"),
        signing=dict(zip(WORLD.keys["eu-1"].signing, make_keys("eu-1").signing.values(), strict=True)),
    )
    header, message, sealed, _ = frames(SENT.data)
    assert refused(resigned(header, message, sealed, forger)) == "signature"


def test_another_cell_cannot_sign_for_the_sender() -> None:
    header, message, sealed, _ = frames(SENT.data)
    assert refused(resigned(header, message, sealed, WORLD.keys["uk-1"])) == "signature"


def test_a_kid_of_another_cell_or_of_another_use_is_unknown() -> None:
    header, message, sealed, _ = frames(SENT.data)
    for kid in (kid_for("uk-1", "signing", NOW), kid_for("eu-1", "sealing", NOW), ""):
        named = header.replace(kid_for("eu-1", "signing", NOW).encode(), kid.encode())
        assert refused(resigned(named, message, sealed)) == "unknown-key"


def test_it_is_refused_in_any_cell_but_the_one_addressed() -> None:
    assert refused(SENT.data, here="uk-1") == "misaddressed"
    assert refused(SENT.data, here="eu-1") == "misaddressed"


def test_a_header_that_readdresses_the_message_is_refused_even_when_signed() -> None:
    header, message, sealed, _ = frames(SENT.data)
    turned = header.replace(b'"to_cell":"id-1"', b'"to_cell":"uk-1"')
    assert refused(resigned(turned, message, sealed), here="uk-1") == "misaddressed"
    stranger = header.replace(b'"to_cell":"id-1"', b'"to_cell":"zz-9"')
    assert refused(resigned(stranger, message, sealed)) == "unknown-cell"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda h, m, s: (h, m.replace(b'"fee_minor":0', b'"fee_minor":0,"note":"Astrid"'), s), "schema"),
        (lambda h, m, s: (h, m.replace(b'"amount_minor":2', b'"amount_minor":-2'), s), "schema"),
        (lambda h, m, s: (h, m.replace(b'"currency":"IDR"', b'"currency":"GBP"', 1), s), "misaddressed"),
        (lambda h, m, s: (h.replace(b'"instructed"', b'"invented"'), m, s), "unknown-kind"),
        (lambda h, m, s: (h, m, b""), "sealed-part"),
        (lambda h, m, s: (h.replace(b'"allow_list":1', b'"allow_list":9'), m, s), "unknown-allow-list"),
        (lambda h, m, s: (h.replace(b'"remittance"', b'"salary"'), m, s), "allow-list"),
        (lambda h, m, s: (h.replace(b'"sequence":1', b'"sequence":-1'), m, s), "header"),
        (lambda h, m, s: (h[:-1] + b',"extra":1}', m, s), "header"),
        (lambda h, m, s: (b"{", m, s), "header"),
    ],
)
def test_what_is_signed_must_still_be_lawful(
    change: Callable[[bytes, bytes, bytes], tuple[bytes, bytes, bytes]], reason: str
) -> None:
    header, message, sealed, _ = frames(SENT.data)
    changed = change(header, message, sealed)
    assert changed != (header, message, sealed)
    assert refused(resigned(*changed)) == reason


def test_a_key_past_its_end_is_refused_whatever_date_the_header_bears() -> None:
    assert refused(SENT.data, at=NOW + timedelta(days=91)) == "expired-key"
    header, message, sealed, _ = frames(SENT.data)
    early = header.replace(b'"issued_at":"2026-11-20', b'"issued_at":"2026-11-01')
    assert refused(resigned(early, message, sealed)) == "expired-key"


def test_a_message_from_the_future_waits_for_the_clock() -> None:
    assert refused(SENT.data, at=NOW - CLOCK_SKEW - timedelta(seconds=1)) == "issued-in-future"
    assert open_envelope(SENT.data, WORLD.directory, here="id-1", at=NOW - CLOCK_SKEW).hash == SENT.sha256.hex()


def test_rotation_signs_with_the_newer_key_and_still_opens_the_older() -> None:
    older, newer = WORLD.keys["eu-1"], make_keys("eu-1", number=2)
    entry = with_keys(
        WORLD.directory.cell("eu-1"),
        *published(older),
        *published(newer, not_before=NOW - timedelta(hours=1)),
    )
    directory = Directory(cells={**WORLD.directory.cells, "eu-1": entry})
    keys = CellKeys("eu-1", {**older.signing, **newer.signing}, {**older.sealing, **newer.sealing}, older.keks)
    fresh = seal_and_sign(instructed(), LEAST, 2, keys, directory, to_cell="id-1", at=NOW)
    assert fresh.header.kid == kid_for("eu-1", "signing", NOW, 2)
    for data in (SENT.data, fresh.data):
        assert open_envelope(data, directory, here="id-1", at=NOW)


@pytest.mark.parametrize("cell", ["eu-1", "uk-1"])
def test_no_other_cell_can_unseal(cell: str) -> None:
    with pytest.raises(SealUnreadable):
        unseal(opened(), WORLD.keys[cell])
    impostor = replace(
        WORLD.keys["id-1"], sealing={SENT.header.seal_kid: next(iter(WORLD.keys[cell].sealing.values()))}
    )
    with pytest.raises(SealUnreadable):
        unseal(opened(), impostor)


def test_the_sealed_part_opens_beside_no_other_clear_part() -> None:
    header, message, sealed, _ = frames(SENT.data)
    dearer = message.replace(b'"amount_minor":2', b'"amount_minor":3')
    later = header.replace(b'"sequence":1', b'"sequence":2')
    for clear in ((header, dearer), (later, message)):
        moved = opened(resigned(*clear, sealed))
        with pytest.raises(SealUnreadable):
            unseal(moved, WORLD.keys["id-1"])


def test_a_header_that_names_other_fields_than_are_sealed_does_not_unseal() -> None:
    header = SENT.header.model_copy(update={"sealed_fields": ("payer.account_number", "payer.name")})
    message = frames(SENT.data)[1]
    header_json = Header.model_validate(header).model_dump_json().encode()
    clear = b"KVB1" + b"".join(struct.pack(">I", len(part)) + part for part in (header_json, message))
    (public,) = (key.public_key() for key in WORLD.keys["id-1"].sealing.values())
    sealed = seal_bytes(LEAST.model_dump_json(exclude_none=True).encode(), public, clear)
    with pytest.raises(SealUnreadable, match="other fields"):
        unseal(opened(resigned(header_json, message, sealed)), WORLD.keys["id-1"])


def test_what_may_not_leave_is_refused_before_it_is_signed() -> None:
    keys, directory = WORLD.keys["eu-1"], WORLD.directory
    with pytest.raises(CrossingRefused, match="other cells"):
        seal_and_sign(instructed(), LEAST, 1, keys, directory, to_cell="uk-1", at=NOW)
    with pytest.raises(CrossingRefused, match="needs sealed"):
        seal_and_sign(instructed(), None, 1, keys, directory, to_cell="id-1", at=NOW)
    receipt = Receipt(through_sequence=1, rolling_hash="00" * 32, at=NOW)
    with pytest.raises(CrossingRefused, match="takes no sealed"):
        seal_and_sign(receipt, LEAST, 0, keys, directory, to_cell="id-1", at=NOW)
    with pytest.raises(CrossingRefused, match="does not live"):
        seal_and_sign(settled(instructed().transfer_id, "00" * 32), None, 1, keys, directory, to_cell="id-1", at=NOW)
    with pytest.raises(NoCorridor):
        seal_and_sign(instructed(), LEAST, 1, keys, directory, to_cell="eu-1", at=NOW)
