"""`kovra review` over running cells: what is listed and shown names nobody, and a decision names its officer."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import Result
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cells.compliance.decisions import ReasonInvalid
from cells.kit.operator import OperatorInvalid
from cells.payments.machine import State
from residency.keys import CellKeys
from router.cli import review
from tests.support.officers import doubtful, resume
from tests.support.reconciled_cells import Reconciled, at_home, invoke


def write_keys(home: Path, keys: CellKeys) -> None:
    folder = home / keys.cell / "keys"
    folder.mkdir(parents=True)
    pem = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    held = {f"signing-{kid}.pem": key.private_bytes(*pem) for kid, key in keys.signing.items()}
    held |= {f"sealing-{kid}.pem": key.private_bytes(*pem) for kid, key in keys.sealing.items()}
    held |= {f"kek-{kid}.bin": key for kid, key in keys.keks.items()}
    for name, data in held.items():
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o600)


@pytest.fixture
async def cells(cell_database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reconciled]:
    monkeypatch.delenv("KOVRA_OPERATOR", raising=False)
    async with at_home(cell_database, tmp_path, monkeypatch) as opened:
        published = {one.spec.name: one.spec.entry.model_dump(mode="json") for one in (opened.eu, opened.id)}
        held = {name: {"keys": entry["keys"]} for name, entry in published.items()}
        (tmp_path / "directory.json").write_text(json.dumps({"cells": held}))
        for one in (opened.eu, opened.id):
            write_keys(tmp_path, one.institution.keys)
        yield opened


async def kovra(*arguments: str) -> Result:
    return await invoke("review", *arguments, of=[review.register])


async def test_a_case_is_listed_shown_decided_and_gone(cells: Reconciled, monkeypatch: pytest.MonkeyPatch) -> None:
    transfer = await doubtful(cells)
    listed = json.loads((await kovra("list", "--cell", "eu-1", "--json")).stdout)["cases"]
    assert [one["case_id"] for one in listed] == [transfer.transfer_id, transfer.payer_id]
    assert "Sandbox" not in json.dumps(listed)
    nameless = await kovra("refuse", transfer.transfer_id, "--reason", "risk-not-taken")
    assert isinstance(nameless.exception, OperatorInvalid)
    unreasoned = await kovra("refuse", transfer.transfer_id, "--reason", "no idea", "--operator", "ana.ops")
    assert isinstance(unreasoned.exception, ReasonInvalid)
    assert "Sandbox" not in (await kovra("show", transfer.transfer_id)).stdout
    named = await kovra("show", transfer.transfer_id, "--names", "--operator", "ana.ops")
    assert "Kovra Sandbox Review" in named.stdout
    monkeypatch.setenv("KOVRA_OPERATOR", "ana.ops")
    done = await kovra("refuse", transfer.transfer_id, "--reason", "risk-not-taken", "--reference", "CASE-7")
    assert done.exit_code == 0, done.output
    assert (await resume(cells.eu, transfer)).state is State.REFUNDED
    shown = await kovra("show", transfer.transfer_id)
    assert "refuse by ana.ops (risk-not-taken, file CASE-7): done" in shown.stdout
    assert transfer.transfer_id not in (await kovra("list", "--cell", "eu-1")).stdout
