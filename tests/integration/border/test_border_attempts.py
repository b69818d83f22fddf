"""Attempts on the border, against real gates with real payments behind them: nothing crosses, nothing moves, all is on record."""

import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from cells.backends.postgres import transaction
from cells.customs import store as customs
from cells.customs.admit import Admitted, Duplicate, Refused
from cells.parties.models import BankAccount
from cells.payments.machine import State
from residency.envelope import open_envelope, unseal
from residency.sealing import SealUnreadable
from tests.architecture.tree import ROOT
from tests.support.border import make_world
from tests.support.servers import CellDatabase
from tests.support.two_cells import HandCell, TwoCells, open_two_cells

LEAKY = """
from typing import Annotated, ClassVar
from residency.classes import Personal
from residency.crossing import BorderMessage

class Greeting(BorderMessage):
    kind: ClassVar[str] = "greeting"
    payer_name: Annotated[str, Personal]
"""


@pytest.fixture
async def cells(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[TwoCells]:
    async with open_two_cells(cell_database) as opened:
        yield opened


async def exported(cells: TwoCells, number: int = 1) -> list[bytes]:
    """That many accepted payments, as they leave the EU."""
    wallet = await cells.eu.wallet(cells.tenant, "EUR")
    await cells.eu.deposit(wallet, 500_000, "sepa_instant")
    recipient = await cells.id.recipient(cells.tenant, "IDR", BankAccount(bank_code="014", account_number="1234567890"))
    payer = await cells.eu.payer(cells.tenant)
    for _ in range(number):
        quote = await cells.eu.quote(cells.tenant, "EUR", "IDR", 100_000, "bi_fast")
        answer = await cells.eu.accept(wallet, quote, recipient, payer)
        assert answer.status == 202, answer
    return await cells.eu.export()


async def log(cell: HandCell) -> list[tuple[str, str]]:
    """Direction and reason of every entry of a cell's customs log."""
    async with transaction(cell.institution.pool) as connection:
        entries = await customs.read_log(connection, cell.spec)
    return [(entry.crossing.direction, entry.crossing.reason) for entry in entries]


async def legs(cell: HandCell) -> int:
    async with transaction(cell.institution.pool) as connection:
        return await connection.fetchval("select count(*)::int from transfers")


def parts(envelope: bytes) -> list[bytes]:
    """The header, the message and the sealed part of an envelope: residency/envelope.py's frame."""
    at, found = 4, []
    for _ in range(3):
        (length,) = struct.unpack_from(">I", envelope, at)
        found.append(envelope[at + 4 : at + 4 + length])
        at += 4 + length
    assert len(envelope) - at == 64
    return found


def framed(*three: bytes) -> bytes:
    return b"KVB1" + b"".join(struct.pack(">I", len(one)) + one for one in three)


def test_a_message_type_with_a_personal_clear_field_fails_at_import(tmp_path: Path) -> None:
    (tmp_path / "greetings.py").write_text(LEAKY)
    ended = subprocess.run(
        [sys.executable, "-c", "import greetings"],
        cwd=tmp_path, env={"PYTHONPATH": f"{ROOT}:{tmp_path}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode != 0
    assert "UnfitForBorder" in ended.stderr
    assert "Greeting.payer_name is Personal" in ended.stderr
    (tmp_path / "greetings.py").write_text(LEAKY.replace("Annotated[str, Personal]", "str"))
    again = subprocess.run(
        [sys.executable, "-c", "import greetings"],
        cwd=tmp_path, env={"PYTHONPATH": f"{ROOT}:{tmp_path}"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Greeting.payer_name is unmarked" in again.stderr


async def test_altered_forged_and_misaddressed_instructions_make_no_payment(cells: TwoCells) -> None:
    [sent] = await exported(cells)
    header, message, sealed = parts(sent)
    richer = message.replace(b'"amount_minor":', b'"amount_minor":9')
    assert richer != message
    stranger = make_world().keys["eu-1"]
    forged = framed(header, richer, sealed)
    forged += next(iter(stranger.signing.values())).sign(b"kovra-envelope-v1\x00" + forged)
    attempts = [
        framed(header, richer, sealed) + sent[-64:],  # another amount under the old signature
        forged,  # the same, signed with a key of the forger's own
        framed(header, message, sealed[:-1] + bytes([sealed[-1] ^ 1])) + sent[-64:],  # another sealed part
        sent[:-1],
        b"",
    ]
    assert [type(one) for one in await cells.id.admit(attempts)] == [Refused] * len(attempts)
    # Sent back to its own sender, it is not addressed to him.
    assert await cells.eu.admit([sent]) == [Refused("misaddressed")]
    assert (await legs(cells.id), cells.id.rails.transfer_ids) == (0, [])
    assert await log(cells.id) == [
        ("refused", "signature"), ("refused", "signature"), ("refused", "signature"), ("refused", "frame"), ("refused", "frame"),
    ]  # fmt: skip
    assert (await log(cells.eu))[-1] == ("refused", "misaddressed")
    # None of it stopped the corridor.
    [admitted] = await cells.id.admit([sent])
    assert isinstance(admitted, Admitted)
    assert admitted.faults == ()


async def test_a_replayed_instruction_pays_nobody_twice(cells: TwoCells) -> None:
    sent = await exported(cells, 2)
    await cells.id.admit(sent)
    await cells.id.saga.handed()
    before = (await legs(cells.id), sorted(cells.id.rails.transfer_ids), await log(cells.id))
    assert before[0] == len(before[1]) == 2
    for replay in (sent, list(reversed(sent)), [sent[0]] * 3):
        assert {type(one) for one in await cells.id.admit(replay)} == {Duplicate}
    await cells.id.saga.handed()
    assert (await legs(cells.id), sorted(cells.id.rails.transfer_ids), await log(cells.id)) == before


async def test_the_sealed_part_opens_for_its_destination_alone_and_beside_its_own_clear_part_alone(
    cells: TwoCells,
) -> None:
    first, second = await exported(cells, 2)
    directory = cells.eu.spec.directory
    opened = open_envelope(first, directory)
    assert unseal(opened, cells.id.institution.keys).payer.name == "Astrid Lindqvist-Marker"
    # The sender itself can no more read it, nor can another cell that holds the same bytes; nor keys made to look like the right ones.
    strangers = make_world().keys
    for keys in (cells.eu.institution.keys, strangers["uk-1"], strangers["id-1"]):
        with pytest.raises(SealUnreadable):
            unseal(opened, keys)

    # With the sender's own signing key: the second payment's clear part over the first payment's people.
    _, _, people = parts(first)
    header, message, _ = parts(second)
    grafted = framed(header, message, people)
    grafted += next(iter(cells.eu.institution.keys.signing.values())).sign(b"kovra-envelope-v1\x00" + grafted)
    with pytest.raises(SealUnreadable):
        unseal(open_envelope(grafted, directory), cells.id.institution.keys)
    _, admitted = await cells.id.admit([first, grafted])
    assert isinstance(admitted, Admitted)
    assert (admitted.parties, admitted.faults) == (None, ("sealed-unreadable",))
    leg = await cells.id.transfer(admitted.opened.transfer_id)
    assert leg.state is State.DESTINATION_REJECTED, "nobody is paid on behalf of somebody unknown"
    await cells.id.saga.handed()
    assert leg.transfer_id not in cells.id.rails.transfer_ids
