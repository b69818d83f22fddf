"""Which failures mean that a command was used wrongly: an option or argument is missing, or is not of its kind. Exit status 2, as for what
typer finds wrong by itself; every other expected failure is 1.

By code, since no command's module is imported before it is called.
"""

from typing import Final

from residency.errors import KovraError

CODES: Final = frozenset(
    {
        "file-unknown",
        "invalid-amount",
        "malformed-id",
        "no-moment",
        "not-a-length",
        "operator-invalid",
        "position-invalid",
        "reason-invalid",
        "search-contradicted",
        "unknown-cell",
        "unknown-choice",
        "unknown-currency",
        "wallet-unnamed",
    }
)


def exit_status(error: KovraError) -> int:
    """2 where the command was used wrongly, else 1."""
    return 2 if error.code in CODES else 1
