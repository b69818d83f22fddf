"""Money that arrives: C1 pending, then C1 posted with C2 to the wallet (or with C3 to suspense), both chains in one ledger request.

The rail gateway has written the collection's row and matched its wallet; the wallet's actor asks the ledger and closes the row. Repeating any of it changes nothing: the ids follow from the collection's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cells.backends.postgres import Connection
from cells.credits.credit import Deposit
from cells.credits.lives import actions_of_credit, is_suspended, life_of_credit
from cells.journal.entry import component
from cells.ledger.postings import Chain, postings_of
from cells.ledger.submit import ChainResult
from cells.rails import store_collections as collections

_BY = component("wallet")


@dataclass(frozen=True, slots=True)
class DepositOwed:
    """A deposit on record, and the two chains that the ledger has yet to be asked for."""

    deposit: Deposit
    chains: tuple[Chain, Chain]


def owed(deposits: Sequence[Deposit], account_of: Callable[[str], int]) -> list[DepositOwed]:
    """What the ledger is asked for deposits. `account_of`: W by wallet id. Pure: their rows are on record already."""
    return [DepositOwed(one, _chains(one, account_of(one.wallet_id))) for one in deposits]


async def close(
    connection: Connection, region: str, owed: Sequence[DepositOwed], results: Sequence[Sequence[ChainResult]]
) -> None:
    """The ledger has spoken: booked collections are closed. `results`: those of each one's chains."""
    booked = [
        one.deposit for one, answers in zip(owed, results, strict=True) if all(answer.applied for answer in answers)
    ]
    credited = [one for one in booked if not is_suspended(one.tenant_id)]
    if resting := [one.collection_id for one in booked if is_suspended(one.tenant_id)]:
        await collections.close(connection, region, resting, "suspended", _BY)
    if not credited:
        return
    await collections.close(connection, region, [one.collection_id for one in credited], "credited", _BY)


def _chains(deposit: Deposit, wallet_account: int) -> tuple[Chain, Chain]:
    life = life_of_credit(deposit, wallet_account)
    held, taken = actions_of_credit(is_suspended(deposit.tenant_id))
    return postings_of(life, held), postings_of(life, taken)
