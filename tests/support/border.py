"""A world of cells with keys, and the messages they send each other, for tests that touch the border."""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from cells.compliance.attest import lists_of
from cells.spec import CellSpec, PrivateSettings
from residency.directory import CellEntry, Directory, PublicKey, load_directory
from residency.ids import mint
from residency.keys import CellKeys, kid_for, public_hex
from residency.messages import Attestation, Instructed, Rejected, Settled
from residency.travel_rule import Address, BirthPlace, SealedParties, SealedPayer

NOW = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
PAYER_NAME = "Astrid Lindqvist-Marker"
REMITTANCE = "Invoice 7731 for a private matter"


@dataclass(frozen=True)
class World:
    """Every declared cell with keys valid from a day before NOW until 90 days after."""

    directory: Directory
    keys: Mapping[str, CellKeys]

    def spec(self, cell: str) -> CellSpec:
        return CellSpec(
            Path("/nowhere"),
            self.directory.cell(cell),
            self.directory,
            PrivateSettings.model_construct(router_secrets=("s" * 32,)),
        )


def make_keys(cell: str, number: int = 1) -> CellKeys:
    return CellKeys(
        cell,
        {kid_for(cell, "signing", NOW, number): Ed25519PrivateKey.generate()},
        {kid_for(cell, "sealing", NOW, number): X25519PrivateKey.generate()},
        {kid_for(cell, "kek", NOW, number): secrets.token_bytes(32)},
    )


def published(
    keys: CellKeys,
    not_before: datetime = NOW - timedelta(days=1),
    not_after: datetime = NOW + timedelta(days=90),
) -> tuple[PublicKey, ...]:
    """The public halves as the directory holds them."""

    def one(kid: str, use: Literal["signing", "sealing"], key: Ed25519PrivateKey | X25519PrivateKey) -> PublicKey:
        return PublicKey(kid=kid, use=use, public_hex=public_hex(key), not_before=not_before, not_after=not_after)

    signing = (one(kid, "signing", key) for kid, key in keys.signing.items())
    return (*signing, *(one(kid, "sealing", key) for kid, key in keys.sealing.items()))


def with_keys(entry: CellEntry, *held: PublicKey) -> CellEntry:
    return entry.model_copy(update={"keys": held})


def make_world() -> World:
    declared = load_directory()
    keys = {name: make_keys(name) for name in declared.cells}
    cells = {name: with_keys(entry, *published(keys[name])) for name, entry in declared.cells.items()}
    return World(Directory(cells=cells), keys)


def token(cell: str = "id-1", currency: str = "IDR") -> str:
    signature = base64.urlsafe_b64encode(secrets.token_bytes(64)).decode().rstrip("=")
    return f"{mint('rcp', cell)}.{currency}.{signature}"


def instructed(
    origin: str = "eu-1", destination: str = "id-1", currency: str = "IDR", amount: int = 20_000_000_000
) -> Instructed:
    return Instructed(
        transfer_id=mint("tr", origin),
        tenant_id=mint("ten", origin),
        recipient_id=token(destination, currency),
        origin_cell=origin,
        destination_cell=destination,
        currency=currency,
        amount_minor=amount,
        source_currency="EUR",
        screening=Attestation(lists=dict.fromkeys(lists_of("EU", "UK", "ID"), "2026-11-18"), result="clear", at=NOW),
        instructed_at=NOW,
    )


def settled(transfer_id: str, instruction_hash: str, amount: int = 20_000_000_000) -> Settled:
    return Settled(
        transfer_id=transfer_id,
        instruction_hash=instruction_hash,
        currency="IDR",
        amount_minor=amount,
        rail="bi_fast",
        scheme_reference="20261120CENAIDJA010O0200000001",
        settled_at=NOW,
    )


def rejected(transfer_id: str, instruction_hash: str) -> Rejected:
    return Rejected(
        transfer_id=transfer_id,
        instruction_hash=instruction_hash,
        stage="rail",
        reason_code="AC04",
        rejected_at=NOW,
    )


def parties(**changes: object) -> SealedParties:
    """Everything that could be on file of a payer; `changes` replace fields of the payer."""
    payer = SealedPayer(
        name=PAYER_NAME,
        account_number="SE4550000000058398257466",
        address=Address(lines=("Storgatan 12",), town="Lund", postcode="223 50", country="SE"),
        document_number="P-88231177",
        customer_number="C-10021",
        birth_date=date(1979, 3, 14),
        birth_place=BirthPlace(town="Ystad", country="SE"),
        lei=None,
    )
    return SealedParties(payer=payer.model_copy(update=changes), remittance=REMITTANCE)


def world_of_today() -> World:
    """The world, with keys that are valid by the real clock, which the gates go by."""
    world, now = make_world(), datetime.now(UTC)
    held = {
        name: published(keys, now - timedelta(days=1), now + timedelta(days=90)) for name, keys in world.keys.items()
    }
    cells = {name: with_keys(entry, *held[name]) for name, entry in world.directory.cells.items()}
    return World(Directory(cells=cells), world.keys)
