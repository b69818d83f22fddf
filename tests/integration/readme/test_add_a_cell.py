"""The README's "Add a cell", followed to the letter in a copy of the repository: the copy holds together, and opens a wallet in the new cell.

Then each step is left out in turn: `kovra up` says what is missing, in the terminal, and starts nothing.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.following import ROOT, copy_repository, follow, steps

STEPS = steps("cells/README.md", "Add a cell")
_OPENS = """
from tests.support.api_cell import open_api_cell


async def test_a_wallet_is_opened_and_a_price_locked_at_sg_1(cell_database, schemes, tmp_path, monkeypatch):
    monkeypatch.setenv("KOVRA_HOME", str(tmp_path))
    async with open_api_cell(tmp_path, cell_database("SG"), schemes, name="sg-1") as cell:
        wallets = (await cell.client.get("/v1/wallets")).json()["data"]
        assert "SGD" in {one["currency"] for one in wallets}
        body = {"source": {"value": "1000.00", "currency": "SGD"}, "target_currency": "EUR"}
        quote = await cell.client.post("/v1/quotes", json=body)
        assert quote.status_code == 201, quote.text
        assert quote.json()["fees"][0]["rule"] == "sgd"
        regions = (await cell.client.get("/v1/regions")).json()
        assert regions["here"] == "SG"
        assert ["sandbox_dollar"] in [one["rails"] for one in regions["corridors"] if one["target_currency"] == "SGD"]
"""
# What `kovra up` says where a step was not taken: the step's file, and the sentence with the file that lacks it.
LEFT_OUT = {
    "residency/rules/sg.toml": r"SG has no rules; write residency/rules/sg\.toml",
    "cells/kit/money.py": r"cells/kit/money\.py: add SGD",
    "cells/rails/account_forms.toml": r"cells/rails/account_forms\.toml: add SGD to the examples",
    "cells/fx/fees.toml": r"cells/fx/fees\.toml: add a \[\[rule\]\] with currency = \"SGD\"",
    "cells/tenants/tiers.toml": r"cells/tenants/tiers\.toml: add SGD to \[starter\.limits\]",
    "cells/compliance/data/rules.toml": r"cells/compliance/data/rules\.toml: add SGD",
    "cells/tenants/account_numbers.toml": r"cells/tenants/account_numbers\.toml: add \[SG\.default\]",
    "cells/rails/profiles/sandbox_dollar.toml": r"profiles/sandbox_dollar\.toml: write the profile of sandbox_dollar",
}
# What somebody writes who misreads the declaration: what is replaced in it, by what, and what `kovra up` says.
MISWRITTEN = (
    ('name = "sg-1"', 'name = "sg-2"', r"cells/declared/sg-1\.toml: it declares sg-2"),
    ("number = 4", "number = 3", r"cells/declared/sg-1\.toml: number 3 is id-1's"),
    ('currencies = ["SGD"]', 'currencies = ["SGD", "EUR"]', r"cells/declared/sg-1\.toml: EUR is held by two regions, EU and SG"),
    ('currencies = ["SGD"]', 'currencies = ["SGD", "SEK"]', r"sg-1\.toml: add a rail that moves SEK to rails, or take SEK out"),
    ('currencies = ["SGD"]', 'currencies = ["SGD", "SGD"]', r"sg-1\.toml: currencies: .*SGD is there twice"),
    ('rails = ["sandbox_dollar"]', 'rails = ["chaps", "sandbox_dollar"]', r"sg-1\.toml: add GBP, which its rail chaps moves"),
    ("SGD = 700_000_000", "", r"sg-1\.toml: add SGD to settlement\.peer_cap_minor"),
    ("SGD = 700_000_000", "SGD = 0", r"sg-1\.toml: settlement\.peer_cap_minor\.SGD: .*greater than 0"),
    ("hosting_actors = 2", "hosts = 2", r"sg-1\.toml: capacity\.hosting_actors: Field required\.\n.*capacity\.hosts: Extra inputs"),
    ("[capacity]", "[capacity", r"cells/declared/sg-1\.toml: cannot be read"),
)  # fmt: skip


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with every step taken."""
    tree = tmp_path_factory.mktemp("added")
    copy_repository(tree)
    for step in STEPS:
        follow(step, tree)
    return tree


@pytest.fixture
def spoilt(added: Path) -> Iterator[Path]:
    """The copy, to be spoilt by one test: what has changed is put back."""
    files = [added / _file(step) for step in STEPS]
    before = {file: file.read_text() for file in files}
    yield added
    for file, text in before.items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)


def _file(step: str) -> str:
    return re.split(": | as ", step.partition("\n")[0])[-1]


def refused(tree: Path) -> str:
    """What `kovra up` prints where it starts nothing."""
    home = tree / "home"
    command = [sys.executable, "-m", "router.cli.main", "up"]
    environment = {**os.environ, "KOVRA_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert not home.exists(), "nothing was started"
    assert "Traceback" not in done.stderr
    assert "The directory of cells does not hold together" in done.stderr
    return done.stderr


def test_following_the_readme_adds_a_cell(added: Path) -> None:
    (added / "tests/integration/test_sg_1.py").write_text(_OPENS)
    asked = [
        "tests/architecture/test_directory.py",
        "tests/integration/test_sg_1.py",
        "tests/unit/cells/rails/test_rail_profiles.py",
        "tests/unit/cells/tenants/test_account_numbers.py",
        "tests/unit/cells/limits/test_limit_check.py",
        "tests/unit/residency/test_travel_rule.py",
    ]
    command = [sys.executable, "-m", "pytest", "-q", *asked]
    done = subprocess.run(command, cwd=added, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4_000:]
    assert "SGD" not in (ROOT / "cells/kit/money.py").read_text(), "the repository itself is as it was"


def test_every_step_is_left_out_below() -> None:
    assert set(LEFT_OUT) == {_file(one) for one in STEPS} - {"cells/declared/sg-1.toml"}


@pytest.mark.parametrize("step", LEFT_OUT)
def test_a_step_that_was_left_out_is_named_in_the_terminal(spoilt: Path, step: str) -> None:
    _untake(spoilt, step)
    assert re.search(LEFT_OUT[step], refused(spoilt))


@pytest.mark.parametrize(("written", "instead", "said"), MISWRITTEN)
def test_a_declaration_that_does_not_hold_together_is_named(
    spoilt: Path, written: str, instead: str, said: str
) -> None:
    file = spoilt / "cells/declared/sg-1.toml"
    file.write_text(file.read_text().replace(written, instead))
    assert re.search(said, refused(spoilt))


def test_all_that_is_missing_is_named_at_once(spoilt: Path) -> None:
    for step in LEFT_OUT:
        _untake(spoilt, step)
    printed = refused(spoilt)
    # The tiers' amounts can be read only once their currency is known.
    for step, said in LEFT_OUT.items():
        assert re.search(said, printed) or step == "cells/tenants/tiers.toml", step


def _untake(tree: Path, step: str) -> None:
    source = ROOT / step
    if source.exists():
        shutil.copy(source, tree / step)
    else:
        (tree / step).unlink()
