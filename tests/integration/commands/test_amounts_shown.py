"""Every command that lists something, over cells with money in every place: amounts have one form in JSON and in text, and at 80 columns
neither an amount nor an id is broken, and no line is longer."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cells.backends.postgres import transaction
from cells.journal.entry import component
from cells.returns import recalls as recalling
from cells.spec import PostgresSettings
from router.cli import (
    actors,
    console,
    doctor,
    doubts,
    fees,
    limits,
    messages,
    payments,
    rails,
    recalls,
    reconcile,
    review,
    stack,
    suspense,
    tenants,
    trace,
)  # fmt: skip
from tests.architecture.test_deeds import commands
from tests.integration.commands.test_review_command import write_keys
from tests.integration.payments.test_returns import back
from tests.integration.payments.test_suspense import rests
from tests.support.money_forms import amounts_in
from tests.support.officers import doubtful
from tests.support.reconciled_cells import Reconciled, at_home, invoke

_ALL = [
    one.register
    for one in (
        actors, doctor, doubts, fees, limits, messages, payments, rails, recalls, reconcile, review, stack, suspense, tenants, trace,
    )
]  # fmt: skip
_ID = re.compile(r"\b[a-z]{2,3}_(?:eu1|id1|uk1)_[0-9a-v]{26}\b")
_WIDTH = 80
# Commands with --json that are tried where their own story is: every call of `invoke` is held to the same form there.
_ELSEWHERE = {
    **dict.fromkeys(("pay",), "tests/integration/commands/test_pay_command.py"),
    **dict.fromkeys(("batch submit", "batch show", "batch lines"), "tests/integration/api/test_api_batch_files.py"),
    **dict.fromkeys(
        ("sandbox table", "sandbox state", "sandbox payments", "sandbox open", "sandbox close", "sandbox hours", "sandbox advance",
         "sandbox statement"), "tests/integration/commands/test_sandbox_command.py",
    ),
    **dict.fromkeys(("fees add", "fees backtest", "limits set"), "tests/integration/commands/test_fees_command.py"),
    **dict.fromkeys(("suspense assign", "suspense return"), "tests/integration/api/test_api_suspense.py"),
    **dict.fromkeys(("doubts settled", "doubts refused"), "tests/integration/commands/test_doubts_command.py"),
    **dict.fromkeys(("recall ask", "recall accept", "recall refuse"), "tests/integration/api/test_api_recalls.py"),
    **dict.fromkeys(("review clear", "review refuse", "review block", "review release"), "tests/integration/api/test_deeds.py"),
    **dict.fromkeys(
        ("tenants create", "tenants set-tier", "tenants set-return-policy", "tenants keys create", "tenants keys revoke",
         "tenants keys rotate", "tenants keys admin"), "tests/integration/commands/test_tenants_command.py: no money",
    ),
    **dict.fromkeys(
        ("journal show", "journal read", "journal rebuild"),
        "tests/integration/commands/test_journal_command.py: an entry as it stands, in the minor units that an auditor folds",
    ),
    **dict.fromkeys(("audit export", "messages", "run", "up"), "no money"),
}  # fmt: skip


@pytest.fixture
async def cells(cell_database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reconciled]:
    async with at_home(cell_database, tmp_path, monkeypatch) as opened:
        published = {one.spec.name: one.spec.entry.model_dump(mode="json") for one in (opened.eu, opened.id)}
        held = {name: {"keys": entry["keys"]} for name, entry in published.items()}
        (tmp_path / "directory.json").write_text(json.dumps({"cells": held}))
        british = cell_database("UK")
        opened.databases["uk-1"] = british
        postgres = PostgresSettings(owner=british.owner, api=british.api, writer=british.writer, ledger=british.ledger)
        settings = opened.running(opened.eu).settings.model_copy(update={"postgres": postgres})
        (tmp_path / "uk-1").mkdir()
        (tmp_path / "uk-1" / "cell.json").write_text(settings.model_dump_json())
        for one in (opened.eu, opened.id):
            write_keys(tmp_path, one.institution.keys)
        yield opened


def asked(transfer: str, case: str, tenant: str) -> Iterator[tuple[str, ...]]:
    yield ("limits", "list", "--cell", "id-1")
    yield ("limits", "list")
    yield ("fees", "list")
    yield ("fees", "explain", "99999999999.00", "IDR", "EUR", "--cell", "id-1")
    yield ("payments", "list")
    yield ("payments", "blocked")
    yield ("review", "list", "--cell", "eu-1")
    yield ("review", "show", case)
    yield ("suspense", "list")
    yield ("recalls",)
    yield ("trace", transfer)
    yield ("tenants", "list")
    yield ("tenants", "show", tenant)
    yield ("tenants", "tiers")
    yield ("tenants", "keys", "list", tenant)
    yield ("doctor",)
    yield ("doubts", "list")
    yield ("reconcile",)
    yield ("actors",)
    yield ("rails",)
    yield ("status",)


async def test_every_command_shows_amounts_in_one_form_and_whole(
    cells: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stream in (console.out, console.err):
        monkeypatch.setattr(stream, "_width", _WIDTH)
    paid = await cells.complete(await cells.abroad())
    await cells.id.receive_return(back(paid, 1_000_000, "RTR-1"))
    await cells.eu.admit(await cells.id.export())
    case, _ = await doubtful(cells), await rests(cells)
    async with transaction(cells.id.institution.pool) as connection:
        await recalling.ask(connection, cells.id.spec.entry, paid.transfer_id, "DUPL", component("test"))
    seen = set()
    for words in asked(paid.transfer_id, case.transfer_id, paid.tenant_id):
        found = await invoke(*words, "--json", of=_ALL)
        assert found.stdout, (words, found.exception)
        document = json.loads(found.stdout)
        shown = await invoke(*words, of=_ALL)
        assert found.exit_code == shown.exit_code, (words, shown.exception)
        lines = shown.output.splitlines()
        assert [line for line in lines if len(line) > _WIDTH] == [], words
        told = "\n".join(lines)
        if words != ("tenants", "tiers"):  # a tier's limits are shown by `limits list`
            assert [one for one in amounts_in(document) if one not in told] == [], (words, told)
        assert [one for one in _ID.findall(found.stdout) if one not in told and _shown_by(words, one)] == [], (
            words,
            told,
        )
        seen |= set(amounts_in(document))
    assert any(one.endswith("IDR") for one in seen)


def _shown_by(words: tuple[str, ...], one: str) -> bool:
    """Whether the text of a command is to name an id that is in its JSON: the first that a row is about."""
    kinds = {
        "payments": "tr_",
        "review": ("tr_", "pyr_"),
        "suspense": "col_",
        "recalls": "rcl_",
        "tenants": ("wal_", "key_"),
    }
    return words[0] in kinds and one.startswith(kinds[words[0]])


def test_every_command_with_json_is_tried() -> None:
    with_json = {name for name, function in commands().items() if {"json", "as_json"} & set(function.__annotations__)}
    tried = [" ".join(words) for words in asked("", "", "")]
    here = {name for name in with_json if any(f"{words} ".startswith(f"{name} ") for words in tried)}
    assert with_json - here == set(_ELSEWHERE)
