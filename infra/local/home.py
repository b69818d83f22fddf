"""The laptop's home folder: where data, secrets, logs and sockets of one checkout live.

Invariants: everything Kovra keeps is under `root`, under `runtime` (sockets only, a short path because a unix
socket address may have 107 bytes), or in a place written down in `outside.json`; `clean` removes all three.
No permission of a directory that Kovra did not create is ever changed.
"""

import hashlib
import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import LocalError

SHARED = "shared"
"""The pseudo-cell of the parts that belong to no cell: router and transit NATS."""


@dataclass(frozen=True)
class Home:
    """One `.kovra` folder. Two checkouts have two homes and share nothing."""

    root: Path

    @staticmethod
    def at(root: Path | str | None = None) -> "Home":
        """The home at `root`, else at `KOVRA_HOME`, else `./.kovra`."""
        return Home(Path(root or os.environ.get("KOVRA_HOME") or ".kovra").absolute())

    @property
    def digest(self) -> str:
        """Eight hex digits that tell this home from every other on the machine."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:8]

    @property
    def runtime(self) -> Path:
        """The short directory for sockets."""
        return Path("/tmp") / f"kovra-{self.digest}"  # noqa: S108 - its owner is checked in `create`

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def state_file(self) -> Path:
        return self.root / "stack.json"

    @property
    def lock_file(self) -> Path:
        return self.root / "supervisor.lock"

    @property
    def outside_file(self) -> Path:
        """A list of directories outside `root` that hold data of this home (see postgres.py)."""
        return self.root / "outside.json"

    def cell(self, cell: str) -> Path:
        return self.root / cell

    def keys(self, cell: str) -> Path:
        return self.root / cell / "keys"

    def log(self, cell: str, part: str) -> Path:
        return self.logs / f"{cell}-{part}.log"

    def create(self) -> None:
        """Make the folders. Raises LocalError when the runtime directory belongs to somebody else."""
        # Traversable (0711 at least) so that the unprivileged Postgres user reaches its own directory; what is
        # secret is protected one level down, by `keys` being 0700.
        ensure_directory(self.root, 0o755)
        ensure_directory(self.logs, 0o755)
        ensure_directory(self.runtime, 0o711)
        if self.runtime.stat().st_uid != os.geteuid() or self.runtime.is_symlink():
            raise LocalError(f"{self.runtime} belongs to another user; remove it, or set KOVRA_HOME elsewhere")

    def note_outside(self, directory: Path) -> None:
        """Remember a directory outside `root`, for `clean` and for people."""
        known = self.outside()
        if directory not in known:
            write_file(self.outside_file, json.dumps([str(path) for path in [*known, directory]]))

    def outside(self) -> list[Path]:
        if not self.outside_file.exists():
            return []
        return [Path(text) for text in json.loads(self.outside_file.read_text())]

    def clean(self) -> None:
        """Remove data, keys, logs and sockets of this home. The caller has made sure that nothing runs."""
        for directory in [*self.outside(), self.runtime, self.root]:
            shutil.rmtree(directory, ignore_errors=True)
        if self.root.exists():
            raise LocalError(f"could not remove {self.root}: is it owned by another user?")


def ensure_directory(path: Path, mode: int) -> Path:
    """Create `path` with exactly `mode` (whatever the umask); an existing one is left as it is."""
    if not path.exists():
        ensure_directory(path.parent, 0o755)
        path.mkdir(mode=0o700)
        path.chmod(mode)
    return path


def write_file(path: Path, content: str | bytes, mode: int = 0o644, *, durable: bool = True) -> None:
    """Write whole or not at all (rename), never readable by more than `mode` allows; `durable` unless every start
    writes it anew."""
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        os.fchmod(file.fileno(), mode)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    temporary.rename(path)


def remembered_secret(path: Path) -> str:
    """The secret kept in `path` (0600), born at first use: 32 random bytes as hex."""
    if not path.exists():
        ensure_directory(path.parent, 0o700)
        write_file(path, secrets.token_hex(32), 0o600)
    return path.read_text().strip()
