"""What a wallet's actor does for its batches: fund the reserve, turn lines into payments, give back what is left.

Journal first, ledger last, as for a payment; the ids of both chains follow from the batch's. Lines become payments a chunk at a time, in
the commit that marks them so: asked again, the command finds the next chunk, and of a line taken before there is nothing left to
take. From then on a line's payment is like any other, but that its hold is drawn on the reserve.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cells.backends.postgres import Connection
from cells.batches import notices, store, store_status
from cells.batches.batch import CHUNK, Batch, Ended, Fault, Line, LineState, State, ending, fault_of
from cells.batches.lives import life_of_batch
from cells.batches.store import Mark
from cells.journal.entry import component
from cells.ledger.postings import Action, Chain, postings_of
from cells.ledger.submit import ChainResult
from cells.payments.acceptance import Acceptance
from cells.payments.machine import FINAL
from cells.payments.machine import State as PaymentState
from cells.payments.origin import Origin, WalletNotOpen
from cells.payments.transfer import InsufficientFunds, Transfer
from cells.tenants.store import find_wallets
from cells.tenants.tenant import Wallet
from residency.errors import KovraError, needed

_log = logging.getLogger("kovra.batches")
_BY = component("wallet")
AT_REST = [str(state) for state in FINAL]
PAID = [str(one) for one in (PaymentState.COMPLETED, PaymentState.PARTIALLY_RETURNED, PaymentState.RETURNED)]
FROZEN = [str(PaymentState.BLOCKED)]


@dataclass(frozen=True, slots=True)
class BatchOwed:
    """A chain of a batch on record that the ledger has yet to be asked for."""

    batch: Batch
    chains: tuple[Chain]

    @property
    def subject(self) -> str:
        return self.batch.batch_id


async def journal_funding(
    connection: Connection, region: str, batch_ids: Sequence[str], account_of: Callable[[str], int]
) -> list[BatchOwed]:
    """E1 of the batches that are to be funded. `account_of`: W by wallet id."""
    locked = await store.lock(connection, region, sorted(set(batch_ids)))
    wallets = await find_wallets(connection, region, sorted({one.wallet_id for one in locked.values()}))
    for one in list(locked.values()):
        if one.state is State.FUNDING and wallets[one.wallet_id].state != "open":
            await notices.end(
                connection, region, locked.pop(one.batch_id), State.FAILED, _BY, fault_of(WalletNotOpen.code)
            )
    return [
        _owed(one, account_of(one.wallet_id), Action.FUND, one.funding_minor or 0)
        for one in locked.values()
        if one.state is State.FUNDING
    ]


async def journal_remainders(
    connection: Connection, region: str, batch_ids: Sequence[str], account_of: Callable[[str], int]
) -> list[BatchOwed]:
    """E2 of the batches whose lines have all ended; one that has spent everything ends here."""
    owed: list[BatchOwed] = []
    for one in (await store.lock(connection, region, sorted(set(batch_ids)))).values():
        batch = await _closing(connection, region, one)
        if batch is None:
            continue
        if batch.remainder_minor:
            owed.append(_owed(batch, account_of(batch.wallet_id), Action.RELEASE_REMAINDER, batch.remainder_minor))
        else:
            await _finish(connection, region, batch)
    return owed


async def close(
    connection: Connection,
    region: str,
    owed: Sequence[BatchOwed],
    results: Sequence[Sequence[ChainResult]],
    missing: Mapping[str, int],
) -> None:
    """The ledger has spoken. `results`: those of each one's chains; `missing`: what its wallet lacks, by batch id."""
    locked = await store.lock(connection, region, sorted({one.batch.batch_id for one in owed}))
    for one, [result] in zip(owed, results, strict=True):
        batch = locked[one.batch.batch_id]
        if batch.state is not one.batch.state:
            continue
        if batch.state is State.FUNDING and result.applied:
            await store.move(connection, region, batch, State.FUNDED, "funded", _BY)
        elif batch.state is State.FUNDING and (result.lacks_funds or result.burnt):
            fault = fault_of(InsufficientFunds.code, missing.get(batch.batch_id), batch.source_currency)
            await notices.end(connection, region, batch, State.FAILED, _BY, fault)
        elif result.applied:
            await _finish(connection, region, batch)
        else:
            _log.critical("the ledger refused a posting of %s: %s", batch.batch_id, result.reason.name)


async def accept(
    connection: Connection, region: str, origin: Origin, asked: Mapping[str, Wallet]
) -> dict[str, list[Transfer | KovraError]]:
    """Turn the next lines of funded batches into payments: what became of each line, by batch; an empty list when none is left.

    `asked`: the wallet by batch id.
    """
    locked = await store.lock(connection, region, sorted(asked))
    taken: list[tuple[Batch, Line]] = []
    for batch in locked.values():
        if batch.state in (State.FUNDED, State.PROCESSING):
            lines = await store.lines_in(connection, region, batch.batch_id, LineState.READY, CHUNK, priced=True)
            taken += [(batch, line) for line in lines]
        if batch.state is State.FUNDED:
            await store.move(connection, region, batch, State.PROCESSING, "taking", _BY)
    made = await origin.make(connection, [(_acceptance(batch, line), asked[batch.batch_id]) for batch, line in taken])
    became: dict[str, list[Transfer | KovraError]] = {batch_id: [] for batch_id in asked}
    marks: dict[str, list[Mark]] = {}
    for (batch, line), one in zip(taken, made, strict=True):
        became[batch.batch_id].append(one)
        marks.setdefault(batch.batch_id, []).append(
            Mark(line.line, LineState.REFUSED, Fault.of(one))
            if isinstance(one, KovraError)
            else Mark(line.line, LineState.ACCEPTED)
        )
    for batch_id, several in marks.items():
        await store.mark(connection, region, batch_id, several)
    return became


def _acceptance(batch: Batch, line: Line) -> Acceptance:
    """A line as a partner's wish. The row is what makes it happen once: it needs no key."""
    transfer_id, quote_id, recipient_id, payer_id = (
        needed(one, "a line that is READY has its payment, quote, recipient and payer")
        for one in (line.transfer_id, line.quote_id, line.recipient_id, line.payer_id)
    )
    return Acceptance(
        transfer_id, batch.tenant_id, quote_id, recipient_id, payer_id, "", b"", component("batches"), line.metadata,
        deadline=line.deadline, batch_id=batch.batch_id,
    )  # fmt: skip


async def _closing(connection: Connection, region: str, batch: Batch) -> Batch | None:
    """The batch in CLOSING, with its remainder on record; None while it cannot close."""
    if batch.state is State.CLOSING:
        return batch
    if batch.state is not State.PROCESSING:
        return None
    found = await _ended(connection, region, batch)
    if not found.all_ended:
        return None
    remainder = needed(batch.funding_minor, "a batch that is paid was funded") - found.gone_minor
    return await store.move(connection, region, batch, State.CLOSING, "closing", _BY, remainder_minor=remainder)


async def _finish(connection: Connection, region: str, batch: Batch) -> None:
    found = await _ended(connection, region, batch)
    await notices.end(connection, region, batch, ending(batch, found.paid), _BY)


async def _ended(connection: Connection, region: str, batch: Batch) -> Ended:
    return await store_status.ended(connection, region, batch.batch_id, at_rest=AT_REST, paid=PAID, frozen=FROZEN)


def _owed(batch: Batch, wallet_account: int, action: Action, amount: int) -> BatchOwed:
    return BatchOwed(batch, (postings_of(life_of_batch(batch, wallet_account, amount), action),))
