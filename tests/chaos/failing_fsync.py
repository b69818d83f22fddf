"""An fsync that can be made to fail: a library of a few lines, loaded before the C library into every Postgres of the stack.

While the file that KOVRA_FSYNC_FAILS names exists, fsync and fdatasync answer EIO, as a dying disk does.
"""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from infra.local.layout import Layout
from infra.local.part import Part

_SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
static int failing(void) {
    const char *flag = getenv("KOVRA_FSYNC_FAILS");
    return flag && access(flag, F_OK) == 0;
}
#define GUARDED(name) \\
    int name(int file) { \\
        if (failing()) { errno = EIO; return -1; } \\
        int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, #name); \\
        return real(file); \\
    }
GUARDED(fsync)
GUARDED(fdatasync)
"""


def build(folder: Path) -> Path | None:
    """The library, made in `folder`, where everybody may read it; None when there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    folder.mkdir(mode=0o755)
    source, library = folder / "fsync.c", folder / "fsync.so"
    source.write_text(_SOURCE)
    made = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=False, capture_output=True
    )
    if made.returncode:
        return None
    library.chmod(0o755)
    return library


def armed(layout: Layout, library: Path) -> Layout:
    """The layout whose Postgres servers can be made to fail."""
    return replace(
        layout, parts=tuple(_armed(part, library) if part.name == "postgres" else part for part in layout.parts)
    )


def _armed(part: Part, library: Path) -> Part:
    flag = library.with_name(f"fail-{part.cell}")
    environment = {**part.environment, "LD_PRELOAD": str(library), "KOVRA_FSYNC_FAILS": str(flag)}
    return replace(part, environment=environment)
