"""The `kovra` command as people and scripts meet it, where nothing runs: exit status, streams, and how failures are told."""

import json
import os
import subprocess
import sys
from pathlib import Path

_HEAD = "reference,source_currency,source_amount,target_currency,payer_name,recipient_name,recipient_iban"


def _kovra(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KOVRA_HOME": str(home / "kovra-home")}
    for name in ("KOVRA_URL", "KOVRA_API_KEY"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "router.cli.main", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_status_where_nothing_was_started(tmp_path: Path) -> None:
    found = _kovra(tmp_path, "status", "--json")
    assert found.returncode == 3
    told = json.loads(found.stdout)
    assert (told["ready"], told["parts"], told["phase"]) == (False, [], "stopped")


def test_down_where_nothing_runs(tmp_path: Path) -> None:
    found = _kovra(tmp_path, "down")
    assert (found.returncode, found.stdout) == (3, "")
    assert "not running" in found.stderr


def test_a_failure_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    found = _kovra(tmp_path, "actors")
    assert (found.returncode, found.stdout) == (1, "")
    assert "Traceback" not in found.stderr
    assert "directory" in found.stderr


def test_a_file_that_cannot_be_read_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "payments.csv"
    file.write_text("a,b\n1,2\n")
    found = _kovra(tmp_path, "pay", str(file))
    assert (found.returncode, found.stdout) == (1, "")
    assert "must name the columns" in found.stderr


def test_paying_without_a_stack_says_how_to_get_one(tmp_path: Path) -> None:
    file = tmp_path / "payments.csv"
    file.write_text(f"{_HEAD}\nA,EUR,1.00,EUR,Ann,Bo,DE89370400440532013000\n")
    found = _kovra(tmp_path, "pay", str(file))
    assert (found.returncode, found.stdout) == (1, "")
    assert "kovra run" in found.stderr


def test_a_csv_batch_without_its_wallet_is_refused_by_the_options_name(tmp_path: Path) -> None:
    file = tmp_path / "batch.csv"
    file.write_text("recipient_id\n")
    found = _kovra(tmp_path, "batch", "submit", str(file))
    assert (found.returncode, found.stdout) == (2, "")
    assert "--wallet" in found.stderr


def test_the_help_of_pay_lists_every_column(tmp_path: Path) -> None:
    found = _kovra(tmp_path, "pay", "--help")
    assert found.returncode == 0
    for column in ("source_currency", "recipient_bank_code", "payer_document_number"):
        assert column in found.stdout


def test_an_amount_is_explained_with_no_stack_by_the_rules_of_the_release(tmp_path: Path) -> None:
    found = _kovra(tmp_path, "fees", "explain", "1000.00", "EUR", "IDR", "--json")
    assert found.returncode == 0
    assert json.loads(found.stdout)["price"]["fee"] == {"value": "3.00", "currency": "EUR"}
    assert "founded with" in found.stderr
    for status, arguments, said in (
        (1, ("EUR", "SEK"), "No rail pays out in SEK"), (2, ("USD", "EUR"), "use one of"),
        (2, ("EUR", "IDR", "--cell", "xx-1"), "no cell 'xx-1'"), (1, ("EUR", "IDR", "--tenant", "ten_eu1_0"), "directory"),
    ):  # fmt: skip
        refused = _kovra(tmp_path, "fees", "explain", "1000.00", *arguments)
        assert (refused.returncode, refused.stdout) == (status, "")
        assert said in refused.stderr
    assert _kovra(tmp_path, "fees", "explain").returncode == 2
