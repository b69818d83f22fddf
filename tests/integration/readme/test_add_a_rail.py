"""The README's "Add a rail", followed to the letter in a copy of the repository; the contract suite then asks the new rail everything."""

import subprocess
import sys
from pathlib import Path

from tests.support.following import ROOT, copy_repository, follow, steps


def test_following_the_readme_adds_a_rail(tmp_path: Path) -> None:
    copy_repository(tmp_path)
    changed = [follow(step, tmp_path) for step in steps("cells/rails/README.md", "Add a rail")]
    assert len(set(changed)) <= 3, changed
    asked = [
        "tests/unit/cells/rails/test_sandbox_krona.py",
        "tests/unit/cells/rails/test_rail_profiles.py",
        "tests/unit/cells/rails/test_profile_files.py",
        "tests/contract/test_rail_contract.py",
        "tests/architecture/test_directory.py",
        "tests/integration/api/test_offered_currencies.py",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-k", "krona or directory or declares or offered", *asked]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4_000:]
    assert not (ROOT / "cells/rails/profiles/sandbox_krona.toml").exists(), "the repository itself is as it was"
