"""Who calls a command that changes something: named by an option, by the environment, or on a terminal by the login."""

import os
import pwd
import sys
from typing import Annotated

import typer

from cells.kit.operator import OperatorInvalid, operator_handle
from router.cli.console import err

Operator = Annotated[
    str,
    typer.Option(
        "--operator",
        envvar="KOVRA_OPERATOR",
        help="Your name, for the audit trail; on a terminal your login name by default.",
        show_default=False,
    ),
]


def acting(named: str) -> str:
    """The handle of who acts. Without a name it is the login on a terminal, and that is said; a script must name somebody.

    Raises OperatorInvalid."""
    if named.strip():
        return operator_handle(named)
    if not sys.stdin.isatty():
        raise OperatorInvalid("It goes on the audit trail: say who does it, with --operator or KOVRA_OPERATOR.")
    try:
        login = operator_handle(pwd.getpwuid(os.getuid()).pw_name)
    except (KeyError, OperatorInvalid):
        raise OperatorInvalid("Your login is no name for the audit trail: use --operator or KOVRA_OPERATOR.") from None
    err.print(f"On the audit trail as {login}, your login; --operator names another.", markup=False)
    return login
