"""Money that arrives: C1 pending, then C1 posted with C2 to the wallet (or with C3 to suspense), both chains in one ledger request.

The rail gateway has written the collection's row and matched its wallet; the wallet's actor journals the postings, asks the ledger and
closes the row. Repeating any of it changes nothing: the ids follow from the collection's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cells.backends.postgres import Connection
from cells.credits import notices
from cells.credits.credit import Deposit
from cells.credits.lives import life_of_credit
from cells.ledger.postings import Action, Chain, postings_of
from cells.ledger.submit import ChainResult
from cells.payments.store_postings import Planned, plan_postings
from cells.payments.transfer import PEER_TENANT_PREFIX
from cells.rails import store_collections as collections

EFFECT = "collect"


@dataclass(frozen=True, slots=True)
class DepositOwed:
    """A journaled deposit, and the two chains that the ledger has yet to be asked for."""

    deposit: Deposit
    chains: tuple[Chain, Chain]


async def journal(
    connection: Connection, region: str, deposits: Sequence[Deposit], account_of: Callable[[str], int]
) -> list[DepositOwed]:
    """Plan the postings of deposits. `account_of`: W by wallet id."""
    owed = [DepositOwed(one, _chains(one, account_of(one.wallet_id))) for one in deposits]
    planned = [
        Planned(one.deposit.collection_id, one.deposit.tenant_id, EFFECT, 1, [*one.chains[0], *one.chains[1]])
        for one in owed
    ]
    await plan_postings(connection, region, planned)
    return owed


async def close(
    connection: Connection, region: str, owed: Sequence[DepositOwed], results: Sequence[Sequence[ChainResult]]
) -> None:
    """The ledger has spoken: booked collections are closed, and tenants told of theirs. `results`: those of each one's chains."""
    booked = [
        one.deposit for one, answers in zip(owed, results, strict=True) if all(answer.applied for answer in answers)
    ]
    credited = [one for one in booked if not _is_suspended(one)]
    if resting := [one.collection_id for one in booked if _is_suspended(one)]:
        await collections.close(connection, region, resting, "suspended")
    if not credited:
        return
    closed = await collections.close(connection, region, [one.collection_id for one in credited], "credited")
    await notices.write_credits(connection, region, [one for one in credited if one.collection_id in closed])


def _chains(deposit: Deposit, wallet_account: int) -> tuple[Chain, Chain]:
    life = life_of_credit(deposit, wallet_account)
    taken = Action.SUSPEND if _is_suspended(deposit) else Action.CREDIT
    return postings_of(life, Action.HOLD), postings_of(life, taken)


def _is_suspended(deposit: Deposit) -> bool:
    """Whether nobody was found for it: it is then the house's own tenant's, and no wallet's money."""
    return deposit.tenant_id.startswith(PEER_TENANT_PREFIX)
