"""The README's "Add a rail", followed to the letter in a copy of the repository; the contract suite then asks the new rail everything."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("actors", "cells", "infra", "migrations", "residency", "router", "tests", "pyproject.toml")
_BLOCK = re.compile(r"^ *```(?:python|diff)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def blocks() -> list[str]:
    text = (ROOT / "cells/rails/README.md").read_text()
    section = text.split("## Add a rail\n")[1].split("\n## ")[0]
    return [dedent(found) for found in _BLOCK.findall(section)]


def follow(step: str, tree: Path) -> str:
    """Carry one step out; the file it made or changed."""
    head, _, body = step.partition("\n")
    kind, path = re.fullmatch(r"# (new|in): (\S+)", head).groups()  # type: ignore[union-attr]
    file = tree / path
    if kind == "new":
        file.parent.mkdir(exist_ok=True)
        file.write_text(body)
        return str(path)
    above, added = body.rstrip("\n").split("\n")
    text, anchor = file.read_text(), above.removeprefix(" ") + "\n"
    assert text.count("\n" + anchor) == 1, f"{path} has no such line, or more than one: {anchor!r}"
    file.write_text(text.replace("\n" + anchor, "\n" + anchor + added.removeprefix("+") + "\n"))
    return str(path)


def test_following_the_readme_adds_a_rail(tmp_path: Path) -> None:
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / part)
    changed = [follow(step, tmp_path) for step in blocks()]
    assert len(changed) == 8, changed
    asked = [
        "tests/unit/cells/rails/test_sandbox_krona.py",
        "tests/unit/cells/rails/test_rail_profiles.py",
        "tests/contract/test_rail_contract.py",
        "tests/architecture/test_directory.py",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-k", "krona or directory or declares", *asked]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4_000:]
    assert "sandbox_krona" not in (ROOT / "cells/rails/registry.py").read_text(), "the repository itself is as it was"
