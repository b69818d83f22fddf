"""How much memory a part takes: the proportional set size of its process and all descendants.

Proportional, because a Postgres has a dozen processes that share one buffer: a sum of resident sizes would count it
a dozen times.
"""

from collections.abc import Sequence
from pathlib import Path

import psutil


def memory_of_trees(roots: Sequence[int]) -> dict[int, int]:
    """Bytes by root pid; a root that has ended meanwhile counts 0."""
    children: dict[int, list[int]] = {}
    for process in psutil.process_iter(["pid", "ppid"]):
        children.setdefault(process.info["ppid"], []).append(process.info["pid"])
    return {root: sum(map(_memory, _tree(root, children))) for root in roots}


def _tree(root: int, children: dict[int, list[int]]) -> list[int]:
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _memory(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # ended, or not ours to read: the resident size is public
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
