"""Verification offline: a whole export passes, and every kind of tampering is found and named."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cells.audit.entry import Entry, chain_name, sign_checkpoint, timestamp
from cells.audit.lines import checkpoint_line, entry_line, header_line
from cells.audit.verify import Report, verify
from cells.kit.hashchain import extend, genesis
from residency.keys import public_hex

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {"eu-1": {"k1": public_hex(KEY)}}


def _entry(number: int) -> Entry:
    at = AT + timedelta(milliseconds=number)
    return Entry(at, "key_eu1_a", "ten_eu1_a", "POST /v1/transfers", f"tr_eu1_{number}", "202", f"req_eu1_{number}")


def _export(count: int, *checkpoints: int, cell: str = "eu-1", key: Ed25519PrivateKey = KEY) -> list[str]:
    entries = [_entry(number) for number in range(1, count + 1)]
    start = genesis(chain_name(cell))
    lines = [header_line(cell, "EU", start)]
    for head, entry in zip(extend(start, [one.body() for one in entries]), entries, strict=True):
        lines.append(entry_line(head, entry))
        if head.sequence in checkpoints:
            lines.append(checkpoint_line(sign_checkpoint(cell, head, AT, "k1", key)))
    return lines


def _changed(line: str, **changes: object) -> str:
    return json.dumps({**json.loads(line), **changes})


def test_a_whole_export_is_whole_and_says_how_far_it_is_signed() -> None:
    report = verify(_export(5, 2, 4), KEYS)
    assert report == Report(
        "eu-1", entries=5, first=1, last=5, checkpoints=2, signed_through=4, signed_at=timestamp(AT)
    )
    assert report.whole
    assert report.unsigned == 1


def test_an_empty_trail_is_whole_and_no_lines_at_all_are_not() -> None:
    assert verify(_export(0), KEYS).whole
    assert not verify([], KEYS).whole


TAMPERINGS: dict[str, Callable[[list[str]], list[str]]] = {
    "altered": lambda lines: [*lines[:2], _changed(lines[2], outcome="200"), *lines[3:]],
    "removed": lambda lines: [*lines[:2], *lines[3:]],
    "swapped": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
    "repeated": lambda lines: [*lines[:2], lines[1], *lines[2:]],
    "first ones cut off": lambda lines: [lines[0], *lines[2:]],
    "a field added": lambda lines: [lines[0], _changed(lines[1], note="x"), *lines[2:]],
    "a field missing": lambda lines: [lines[0], json.dumps({"record": "entry", "sequence": 1}), *lines[2:]],
    "no JSON": lambda lines: [lines[0], "{", *lines[2:]],
    "a header of another cell": lambda lines: [_changed(lines[0], cell="id-1"), *lines[1:]],
    "a header that starts elsewhere": lambda lines: [_changed(lines[0], after_hash="00" * 32), *lines[1:]],
    "no header": lambda lines: lines[1:],
    "a checkpoint moved": lambda lines: [*lines[:3], lines[5], *lines[3:5]],
    "a checkpoint redated": lambda lines: [*lines[:5], _changed(lines[5], at="2026-11-20T12:00:00.000001Z")],
    "a checkpoint of an unknown key": lambda lines: [*lines[:5], _changed(lines[5], kid="k2")],
    "a forged signature": lambda lines: [*lines[:5], _changed(lines[5], signature="00" * 64)],
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found(name: str) -> None:
    lines = _export(4, 4)
    assert verify(lines, KEYS).whole
    report = verify(TAMPERINGS[name](lines), KEYS)
    assert len(report.problems) == 1
    assert report.problems[0].startswith("line ")


def test_a_chain_rebuilt_after_tampering_has_no_signature_of_the_cells_key() -> None:
    forged = _export(4, 4, key=Ed25519PrivateKey.generate())
    assert "signature" in verify(forged, KEYS).problems[0]


def test_another_cells_key_does_not_vouch_for_this_cell() -> None:
    report = verify(_export(2, 2, cell="id-1"), KEYS)
    assert "not among the keys given for id-1" in report.problems[0]


def test_an_entry_takes_ids_and_codes_only() -> None:
    with pytest.raises(ValueError, match="ids and codes"):
        Entry(AT, "key_eu1_a", "", "POST /v1/recipients", "Ayu Lestari", "201", "req_eu1_a")
    with pytest.raises(ValueError, match="aware"):
        Entry(AT.replace(tzinfo=None), "key_eu1_a", "", "POST /v1/recipients", "", "201", "req_eu1_a")


@pytest.mark.parametrize(("tamper", "status"), [(False, 0), (True, 1)])
def test_one_command_verifies_a_file(tmp_path: Path, tamper: bool, status: int) -> None:
    lines = _export(3, 3)
    (tmp_path / "trail.jsonl").write_text("\n".join([lines[0], *lines[2 if tamper else 1 :]]) + "\n")
    keys = [{"kid": "k1", "use": "signing", "public_hex": KEYS["eu-1"]["k1"]}]
    (tmp_path / "directory.json").write_text(json.dumps({"cells": {"eu-1": {"keys": keys}}}))
    ran = subprocess.run(
        [sys.executable, "-m", "cells.audit", tmp_path / "trail.jsonl", tmp_path / "directory.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == status, ran.stderr
    assert ("not whole" in ran.stdout) == tamper


@pytest.mark.parametrize("asked", ["--help", "-h"])
def test_help_that_is_asked_for_is_an_answer_and_no_wrong_use(asked: str) -> None:
    done = subprocess.run([sys.executable, "-m", "cells.audit", asked], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Exit status" in done.stdout
