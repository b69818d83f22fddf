"""`kovra review`: payments and parties that a compliance officer looks at, and what is decided of them.

The decision, its entry on the audit trail and the deed are one commit; the cell's actors carry out what follows from it.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape

from cells.compliance.decisions import REASONS, Asked, Decision, Deed
from cells.kit.operator import operator_actor
from cells.payments import store
from cells.payments.machine import State, public
from cells.spec import CellSpec, home_path, load_spec
from residency.ids import parse
from router.cli.actors import Cell
from router.cli.choices import one_of
from router.cli.console import out, print_json, print_plain
from router.cli.operator import Operator, acting
from router.cli.provisioning import all_cells
from router.cli.record import changing_of, institution_of, reading, reading_of
from router.cli.review_shown import Case, case_of, cases_of, details_of, opened, table
from router.cli.tables import Facts, show_table

CaseId = Annotated[
    str, typer.Argument(metavar="CASE", help="A payment (tr_…), a payer (pyr_…) or a recipient (rcp_…).")
]
Payment = Annotated[str, typer.Argument(metavar="CASE", help="A payment, tr_….")]
Reference = Annotated[str, typer.Option("--reference", help="The id of your own file on the case; no names.")]
Where = Annotated[
    str | None, typer.Option("--cell", help="The cell where the case waits; by default it is found by its id.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
# Origin legs that the other cell decides about now.
_WITH_THE_PEER = frozenset({State.INSTRUCTED, State.PENDING_RAIL})


def _reason(deed: Deed) -> object:
    return typer.Option("--reason", help=f"Why: {' · '.join(REASONS[deed])}.", show_default=False)


ReleaseReason = Annotated[str, _reason(Deed.RELEASE)]

_HELP = """Decide on payments under review, and on parties that screening has found.

Every decision names its officer (--operator, or KOVRA_OPERATOR) and a reason, and is on the audit trail.

A large payment takes two officers: the first decision is stored as proposed, and takes effect when another officer decides the same."""


def register(app: typer.Typer) -> None:
    group = typer.Typer(help=_HELP, no_args_is_help=True)
    group.command("list")(list_all)
    group.command("show")(show)
    group.command("clear")(clear)
    group.command("refuse")(refuse)
    group.command("block")(block)
    group.command("release")(release)
    app.add_typer(group, name="review")


def list_all(cell: Cell = None, json: Json = False) -> None:
    """List the cases that wait for an officer, oldest first, with each payment's deadline."""
    found = asyncio.run(_list([cell] if cell else [spec.name for spec in all_cells(home_path())]))
    if json:
        print_json({"cases": [one.as_json() for one in found]})
    else:
        show_table(table(found), "Nothing waits for an officer.")


def show(
    case: CaseId,
    *,
    names: Annotated[
        bool, typer.Option("--names", help="Show the parties' names, too. The access is recorded on the audit trail.")
    ] = False,
    operator: Operator = "",
    cell: Where = None,
    json: Json = False,
) -> None:
    """Show one case: the matches of screening, and the decisions."""

    who = acting(operator) if names else ""
    found = asyncio.run(_shown(case, cell, who))
    if json:
        print_json(found.as_json())
    else:
        out.print(Facts([(name, escape(value)) for name, value in details_of(found)]))


def _deciding(deed: Deed, case_form: Any, text: str) -> Callable[..., None]:
    """The command of a deed that takes effect by one word: `text` is its help, `case_form` what it may be about."""

    def decide(
        case: str, *, reason: str, operator: Operator = "", reference: Reference = "", cell: Where = None, json: Json = False
    ) -> None:  # fmt: skip
        _decide(case, cell, Asked(deed, acting(operator), reason, reference), json=json)

    decide.__annotations__ |= {"case": case_form, "reason": Annotated[str, _reason(deed)]}
    decide.__doc__ = text
    return decide


clear = _deciding(
    Deed.CLEAR, CaseId,
    "Clear a case: a payment continues at its locked rate; a party may pay and be paid.",
)  # fmt: skip
refuse = _deciding(Deed.REFUSE, Payment, "Refuse a payment: its money goes back to its payer (REFUNDED).")
block = _deciding(
    Deed.BLOCK, CaseId,
    """Block a case, since a sanction applies: a payment's money is frozen (BLOCKED); a party neither pays nor is paid.

    Where a payment waits in the region that pays it out, the money is not there: the payment is refused, and its money goes back. Block
    the recipient too.
    """,
)  # fmt: skip


def release(
    case: CaseId,
    *,
    reason: ReleaseReason,
    to: Annotated[
        str, typer.Option("--to", help="Of a payment: payer (the money goes back) or payee (it goes on).")
    ] = "",
    operator: Operator = "",
    reference: Reference = "",
    cell: Where = None,
    json: Json = False,
) -> None:
    """Release a blocked case, since no sanction applies. This always takes two officers.

    Release a blocked party before its payments. A payment across currencies can go on only until its rate's deadline.
    """
    if case.startswith("tr_"):
        one_of(to, ("payer", "payee"), "direction (--to)")
        deed = Deed.RELEASE_TO_PAYER if to == "payer" else Deed.RELEASE_TO_PAYEE
    else:
        deed = Deed.RELEASE
    _decide(case, cell, Asked(deed, acting(operator), reason, reference), json=json)


def _decide(case: str, cell: str | None, asked: Asked, *, json: bool) -> None:
    decision, stands = asyncio.run(_decided(case, cell, asked))
    if json:
        print_json({"decision": decision, "status": stands})
    elif decision.state == "proposed":
        print_plain(
            f"{decision.case_id}: proposed by {decision.officer}; takes effect when another officer decides the same."
        )
    else:
        print_plain(f"{decision.case_id}: {decision.deed}, by {decision.officers}. Now {stands}.")


async def _list(cells: Sequence[str]) -> list[Case]:
    found: list[Case] = []
    for name in cells:
        async with (
            institution_of(load_spec(name, home_path())) as institution,
            reading_of(institution.pool) as connection,
        ):
            found += await cases_of(connection, institution)
    return found


async def _shown(case: str, cell: str | None, who: str) -> Case:
    """A case; with the names of its parties, where somebody (`who`) is to see them. Raises NoSuchCase, MalformedId, UnknownCell."""
    case_id = _case_id(case)
    async with institution_of(await _where(case_id, cell)) as institution:
        async with reading_of(institution.pool) as connection:
            found = await case_of(connection, institution, case_id)
        if not who:
            return found
        async with changing_of(institution.pool, institution.spec, operator_actor(who)) as change:
            return await opened(change.connection, institution, found, who)


async def _decided(case: str, cell: str | None, asked: Asked) -> tuple[Decision, str]:
    """The decision, whose entry on the trail is its own, and how the case stands. Raises what deciding raises, MalformedId, UnknownCell."""
    case_id = _case_id(case)
    async with (
        institution_of(await _where(case_id, cell)) as institution,
        changing_of(institution.pool, institution.spec, operator_actor(asked.officer)) as change,
    ):
        if case_id.startswith("tr_"):
            decision, transfer = await institution.reviewing.decide(change.connection, case_id, asked)
            stands = str(public(transfer.state))
        else:
            decision, verdict = await institution.reviewing_parties.decide(change.connection, case_id, asked)
            stands = verdict.attestation.result
        # Who says the same again changes nothing.
        change.unchanged = not await change.recorded()
    return decision, stands


def _case_id(case: str) -> str:
    return parse(case.partition(".")[0], "tr", "pyr", "rcp").text


async def _where(case_id: str, cell: str | None) -> CellSpec:
    """The cell where a case waits: the one named, that of its id, or, of a payment that waits where it is paid out, the other."""
    home = load_spec(cell or parse(case_id).cell, home_path())
    if cell or not case_id.startswith("tr_"):
        return home
    async with reading(home) as connection:
        leg = (await store.read(connection, home.region, [case_id])).get(case_id)
    return load_spec(leg.destination_cell, home_path()) if leg is not None and leg.state in _WITH_THE_PEER else home
