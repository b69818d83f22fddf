"""What is asked before a stack of this machine is started: whether its cells hold together, and the profiles of their rails."""

from cells.preflight import check_directory
from residency.directory import load_directory


def preflight() -> None:
    """Raises DirectoryInvalid, which names every lack, its file, and what to write there."""
    check_directory(load_directory())
