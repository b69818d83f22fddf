"""`kovra`: gathers the commands, and turns expected failures into one line and an exit status.

A command's module is imported when the command is called, and not before: `kovra --help` and completion need its name and one line alone.

The exit status is documented in the help and in router/README.md.
"""

import sys
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any, NamedTuple

import typer
from typer import rich_utils
from typer.core import TyperCommand, TyperGroup

from residency.errors import KovraError
from router.cli.console import PLAIN, told
from router.cli.usage import exit_status

if PLAIN:
    rich_utils.COLOR_SYSTEM = None
_EXIT_STATUS = "Exit status: 0 done; 1 refused or failed, the reason on stderr; 2 used wrongly; 3 nothing runs (status, down); 130 interrupted."
RUN, PAY, LOOK, OPERATE, SANDBOX = "Run", "Pay", "Look", "Operate", "Sandbox"


class Entry(NamedTuple):
    """One command of the first level. `module` has `register(app)`; `line` is the first sentence of the command's own help."""

    module: str
    panel: str
    line: str


# In the order of the help. tests/unit/router/cli/test_help.py holds the lines against the commands' own.
COMMANDS = {
    "run": Entry("stack", RUN, "Start every cell, the router and the simulated schemes, until Ctrl-C stops them."),
    "up": Entry("stack", RUN, "Start the same, and return when it is ready with --detach."),
    "down": Entry("stack", RUN, "Stop everything that runs from this checkout."),
    "status": Entry("stack", RUN, "Show every part of every cell with its health."),
    "clean": Entry("stack", RUN, "Remove the data, keys and logs of this checkout's stack."),
    "demo": Entry("demo", RUN, "Show one payment across the border, and prove it."),
    "pay": Entry("pay", PAY, "Pay every line of a CSV file, and show the outcome of each."),
    "batch": Entry("batch", PAY, "Pay a whole file as one batch: submit, show, lines."),
    "payments": Entry("payments", LOOK, "Payments of every tenant: list, blocked."),
    "trace": Entry("trace", LOOK, "Show one payment's journey through every component and cell."),
    "journal": Entry("journal", LOOK, "The journal: show, read, rebuild."),
    "messages": Entry("messages", LOOK, "Show the messages about a payment as they were on the wire."),
    "recalls": Entry("recalls", LOOK, "List every recall, newest first."),
    "actors": Entry("actors", LOOK, "Show where each actor is, its state and its mailbox."),
    "rails": Entry("rails", LOOK, "Show every rail's status: open, its circuit, what waits."),
    "reconcile": Entry("reconcile", OPERATE, "Check the ledger's invariants over the running cells."),
    "doctor": Entry("doctor", OPERATE, "Show what is wrong in each cell; release what is set aside."),
    "tenants": Entry("tenants", OPERATE, "Partners: create, list, show, tiers, keys."),
    "fees": Entry("fees", OPERATE, "Fee rules: list, explain, add, back-test."),
    "limits": Entry("limits", OPERATE, "Limits: list, set."),
    "suspense": Entry("suspense", OPERATE, "Money that matches no wallet: list, assign, return."),
    "review": Entry("review", OPERATE, "Decide on payments under review, and on parties that screening has found."),
    "doubts": Entry("doubts", OPERATE, "Payments that a scheme leaves in doubt: list, settled, refused."),
    "audit": Entry("audit", OPERATE, "The audit trail: export."),
    "recall": Entry("recalls", OPERATE, "Recall a payment, or answer a recall: ask, accept, refuse."),
    "sandbox": Entry(
        "sandbox_schemes",
        SANDBOX,
        "The simulated schemes: cause deposits, returns, recalls and delays; see what was paid.",
    ),
}


class LazyGroup(TyperGroup):
    """The first level: every command by name and line; the one that is called, whole."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = COMMANDS.get(cmd_name)
        return entry and TyperCommand(cmd_name, help=entry.line, rich_help_panel=entry.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and whole(command.name or ""), rest


def whole(name: str) -> Any:
    """A command of the first level with its options and, of a group, its commands."""
    made = typer.Typer(no_args_is_help=True)
    import_module(f"router.cli.{COMMANDS[name].module}").register(made)
    return typer.main.get_group(made).commands[name]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"kovra {version('kovra')}")
        raise typer.Exit


def build() -> typer.Typer:
    """The whole command."""
    app = typer.Typer(
        help="Move money across borders without moving people's data across them.",
        epilog=_EXIT_STATUS,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        cls=LazyGroup,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def kovra(
        _: Annotated[
            bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
        ] = False,
    ) -> None: ...

    return app


def main() -> None:
    try:
        build()()
    except KovraError as error:
        told(error)
        sys.exit(exit_status(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
