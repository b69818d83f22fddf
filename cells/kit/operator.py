"""Who acts for the operator of the cells, by name: one form of it, on every record. Pure."""

import re

from residency.errors import KovraError

_HANDLE = re.compile(r"[a-z0-9][a-z0-9._-]{1,62}[a-z0-9]")


class OperatorInvalid(KovraError):
    code = "operator-invalid"
    status = 422
    title = "Who acts must be named"


def operator_handle(name: str) -> str:
    """A person's handle as records have it: "Ana" and "ana " are one person. Raises OperatorInvalid."""
    handle = name.strip().lower()
    if not _HANDLE.fullmatch(handle):
        raise OperatorInvalid(
            "Name yourself with --operator or KOVRA_OPERATOR: 3 to 64 of a-z, 0-9, dot, dash and underscore, which begin and end with a "
            "letter or a digit."
        )
    return handle


def operator_actor(name: str) -> str:
    """Who acts, as the audit trail names a person. Raises OperatorInvalid."""
    return f"operator:{operator_handle(name)}"
