"""`kovra`: gathers the commands, and turns expected failures into one line and an exit status.

Exit status: 0 done · 1 refused or failed, the reason on stderr · 2 used wrongly · 3 (status) nothing runs · 130 interrupted.
"""

import sys
from importlib import import_module

import typer

from residency.errors import KovraError
from router.cli.console import told

# One module per command, or per group of commands; each has `register(app)`.
_COMMANDS = (
    "stack",
    "actors",
    "rails",
    "tenants",
    "fees",
    "limits",
    "pay",
    "batch",
    "sandbox_schemes",
    "demo",
    "reconcile",
    "trace",
    "messages",
    "suspense",
    "recalls",
)


def build() -> typer.Typer:
    """The whole command."""
    app = typer.Typer(
        help="Move money across borders without moving people's data across them.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name in _COMMANDS:
        import_module(f"router.cli.{name}").register(app)
    return app


def main() -> None:
    try:
        build()()
    except KovraError as error:
        told(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
