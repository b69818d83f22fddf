"""What a wallet actor does with a batch of commands: journal, ask the ledger once, journal what it said.

    one transaction    fence the epochs; intents, events and deposits: whatever asks the ledger for a chain
    one ledger request every chain that the transaction's entries ask for
    one transaction    what the ledger said: the next transition of each transfer, and the answers kept for the partners;
                       the disk is not waited for

A batch goes round again only where an answer leads to another chain (a sanctioned payment is held, then frozen). The ledger's
silence is LedgerUnknown: the batch ends unknown, the journal knows what was asked for, and the same ids are asked for again later.

`Saga` is the WalletHandler that actors/wallet.py hosts; it holds no truth, only the wallets' facts while they are active.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cells.backends.postgres import Connection, Pool, transaction
from cells.batches import funding
from cells.idempotency import store as idempotency
from cells.idempotency.answer import Answer
from cells.idempotency.store import Claimed
from cells.journal.entry import component
from cells.kit.command import Command, Journaled, RailDoor, Reply, StaleEpoch, UnknownCommand
from cells.ledger import chart
from cells.ledger.ledger import Ledger, LedgerUnknown
from cells.ledger.opening import open_accounts
from cells.ledger.postings import Chain
from cells.ledger.submit import submit_chains
from cells.payments import marks, store
from cells.payments.acceptance import Acceptance
from cells.payments.lives import account_of, chain_of
from cells.payments.machine import Effect
from cells.payments.origin import Intent, Origin
from cells.payments.recovery import need_of
from cells.payments.step import Owed, Step, take
from cells.payments.transfer import PEER_TENANT_PREFIX, Cancel, Told, Transfer, TransferNotFound
from cells.tenants import store as tenants
from cells.tenants.tenant import Wallet
from cells.wallets import side_operations, view
from cells.wallets.handing import Handing
from cells.wallets.replies import Short, answers_to_keep, lacking, ledger_said, refusal_of, reply_to, shortfalls
from cells.wallets.side_operations import Errand
from cells.wallets.store_locks import lock_rows
from residency.directory import CellEntry

_ROOM = "wallet"


@dataclass(slots=True)
class _Turn:
    """One batch on its way through `run`. `answering`, `told`: by place in it; `kept`: the partners' answers, by transfer."""

    batch: Sequence[Command]
    replies: list[Reply]
    answering: dict[int, str] = field(default_factory=dict)
    told: dict[int, Told] = field(default_factory=dict)
    step: Step = field(default_factory=Step)
    errands: list[Errand] = field(default_factory=list)
    submit: dict[str, Transfer] = field(default_factory=dict)
    kept: dict[str, Answer] = field(default_factory=dict)


class Saga:
    """One hosting actor's hand on the journal and the ledger of its cell."""

    def __init__(
        self, entry: CellEntry, cell_numbers: Mapping[str, int], pool: Pool, ledger: Ledger, origin: Origin, host: str,
        rails: RailDoor,
    ) -> None:  # fmt: skip
        self._entry = entry
        self._numbers = cell_numbers
        self._pool = pool
        self._ledger = ledger
        self._origin = origin
        self._host = host
        self._handing = Handing(rails)
        self._wallets: dict[str, Wallet] = {}
        self._commits = self._ledger_requests = self._postings = 0

    async def activate(self, wallet_ids: Sequence[str]) -> Mapping[str, int]:
        """See WalletHandler: raises the epochs, opens the ledger accounts, remembers the wallets' facts."""
        region = self._entry.region
        async with transaction(self._pool) as connection:
            found = await tenants.find_wallets(connection, region, wallet_ids)
            epochs = await tenants.bump_epoch(connection, region, list(found), self._host)
        # A peer's wallet has no account of its own: its chains run on REGIONAL_SETTLEMENT, which the cell opened.
        own = [one for one in found.values() if not one.tenant_id.startswith(PEER_TENANT_PREFIX)]
        await open_accounts(self._ledger, {account_of(one) for one in own})
        self._wallets |= found
        return epochs

    async def passivate(self, wallet_ids: Sequence[str]) -> None:
        for wallet_id in wallet_ids:
            self._wallets.pop(wallet_id, None)

    async def handed(self) -> None:
        """Wait until everything handed to the rails has been taken there, or given up to the sweep."""
        await self._handing.done()

    def counts(self) -> Mapping[str, int]:
        """See WalletHandler. `postings`: those that the ledger was asked for."""
        return {
            "journal_commits": self._commits,
            "ledger_requests": self._ledger_requests,
            "postings": self._postings,
        }

    async def close(self) -> None:
        await self.handed()
        await self._ledger.close()
        await self._pool.close()

    async def run(self, batch: Sequence[Command], epochs: Mapping[str, int], journaled: Journaled) -> Sequence[Reply]:
        """See WalletHandler. Raises StoreUnavailable and LedgerUnknown: then nothing is known of the batch."""
        turn = _Turn(batch, [None] * len(batch))
        writing = [index for index, command in enumerate(batch) if command.name in _WRITERS]
        for index, command in enumerate(batch):
            if command.name not in _WRITERS and command.name not in _READERS:
                turn.replies[index] = UnknownCommand(command.name)
        await self._read(turn, [index for index, command in enumerate(batch) if command.name in _READERS])
        if writing:
            await self._open_reserves(batch)
            async with transaction(self._pool) as connection:
                live = await self._fence(connection, turn, writing, epochs)
                await self._journal(connection, turn, live)
            self._commits += 1
            journaled()
            await side_operations.open_accounts(self._ledger, turn.errands)
            while turn.step.owed or turn.errands:
                await self._settle(turn)
            self._answer(turn)
        self._handing.hand_over(turn.submit.values())
        return turn.replies

    async def _fence(
        self, connection: Connection, turn: _Turn, writing: Sequence[int], epochs: Mapping[str, int]
    ) -> list[int]:
        """The commands whose wallet this copy still writes for; the epochs stay locked until the commit."""
        current = await tenants.lock_epochs(connection, self._entry.region, sorted(epochs))
        live: list[int] = []
        for index in writing:
            wallet_id = turn.batch[index].wallet_id
            if current.get(wallet_id) == epochs[wallet_id]:
                live.append(index)
            else:
                turn.replies[index] = StaleEpoch()
        return live

    async def _journal(self, connection: Connection, turn: _Turn, live: Sequence[int]) -> None:
        """Everything the batch asks, made durable in one transaction; the postings follow from it."""
        region = self._entry.region
        bodies: dict[str, dict[int, Any]] = {}
        for index in live:
            bodies.setdefault(turn.batch[index].name, {})[index] = turn.batch[index].body
        turn.told = bodies.get("tell", {})
        accepted: dict[int, Acceptance] = bodies.get("accept", {})
        claimed = await self._origin.claim(connection, list(accepted.values()))
        await lock_rows(
            connection,
            region,
            side_operations.rows_asked(bodies, [one.resource_id for one in claimed if not one.first]),
        )
        if doubtful := bodies.get("doubt"):
            await marks.doubt(connection, region, list(doubtful.values()), component(_ROOM))
        cancels: dict[int, Cancel] = bodies.get("cancel", {})
        turn.answering |= {index: one.transfer_id for index, one in cancels.items()}
        intents = await self._intend(connection, turn, accepted, claimed)
        made = [one.transfer for one in intents if one.transfer]
        made += await self._take_lines(connection, turn, bodies.get("accept_lines", {}))
        needs = await self._needs(connection, [*bodies.get("resume", {}).values(), *_found(intents)])
        told = [*turn.told.values(), *(one.told() for one in cancels.values()), *needs.told]
        turn.step = await take(connection, region, told, room=_ROOM)
        turn.step.now = needs.now | {one.transfer_id: one for one in made} | turn.step.now
        turn.step.owed += [*(Owed(one, Effect.HOLD) for one in made), *needs.owed]
        turn.submit |= {one.transfer_id: one for one in (*needs.submit, *turn.step.submit)}
        turn.errands = await side_operations.journal(
            connection, self._entry, bodies, self._account_of, self._numbers, self._ledger
        )

    async def _intend(
        self, connection: Connection, turn: _Turn, asked: Mapping[int, Acceptance], claimed: Sequence[Claimed]
    ) -> list[Intent]:
        wallets = [self._wallets[turn.batch[index].wallet_id] for index in asked]
        intents = await self._origin.intend(connection, list(zip(asked.values(), wallets, strict=True)), claimed)
        for index, intent in zip(asked, intents, strict=True):
            if intent.answer is not None:
                turn.replies[index] = intent.answer
            else:
                turn.answering[index] = intent.transfer.transfer_id if intent.transfer else intent.found or ""
        return intents

    async def _take_lines(self, connection: Connection, turn: _Turn, asked: Mapping[int, str]) -> list[Transfer]:
        """The next lines of batches as payments. Each command hears how many lines it took, paid or refused."""
        wallets = {batch_id: self._wallets[turn.batch[index].wallet_id] for index, batch_id in asked.items()}
        became = await funding.accept(connection, self._entry.region, self._origin, wallets) if asked else {}
        for index, batch_id in asked.items():
            turn.replies[index] = len(became[batch_id])
        return [one for several in became.values() for one in several if isinstance(one, Transfer)]

    async def _open_reserves(self, batch: Sequence[Command]) -> None:
        """RSV beside every wallet of which a batch is to be funded. The first time is the wallet's first batch."""
        accounts = {chart.reserve(self._account_of(one.wallet_id)) for one in batch if one.name == "fund"}
        if accounts:
            await open_accounts(self._ledger, accounts)

    async def _needs(self, connection: Connection, transfer_ids: Sequence[str]) -> Step:
        """Take transfers up where they stand: their chains again, the event they wait for, or the rail. See recovery.py."""
        step = Step()
        if transfer_ids:
            step.now = await store.load(connection, self._entry.region, sorted(set(transfer_ids)))
        for transfer in step.now.values():
            need = need_of(transfer, datetime.now(UTC))
            if need.effect is not None:
                step.owed.append(Owed(transfer, need.effect))
            elif need.told is not None:
                step.told.append(need.told)
            elif need.submit:
                step.submit.append(transfer)
        return step

    async def _settle(self, turn: _Turn) -> None:
        """Ask the ledger for every chain that is owed, and journal what it said. The one ledger request of a round."""
        owed, errands = turn.step.owed, turn.errands
        chains = [self._chain(one) for one in owed] + [chain for one in errands for chain in one.chains]
        results = await submit_chains(self._ledger, chains)
        self._ledger_requests += 1
        self._postings += sum(map(len, chains))
        told = [told for one, result in zip(owed, results, strict=False) for told in ledger_said(one, result)]
        missing = await self._missing(lacking(owed, results), side_operations.lacking(errands, results[len(owed) :]))
        before, region = turn.step, self._entry.region
        # Need not be waited for: the ledger has it, and recovery asks for the same ids and hears the same again. Whatever acts upon
        # it outside (the exporter, the rails' desk) commits something of its own first, which flushes this too.
        async with transaction(self._pool, flushed=False) as connection:
            await lock_rows(
                connection, region, side_operations.rows_owed(errands, [one.transfer.transfer_id for one in owed])
            )
            told += await side_operations.close(connection, region, errands, results[len(owed) :], missing)
            turn.step = await take(connection, region, told, room=_ROOM)
            kept = answers_to_keep(owed, turn.step.now, missing)
            await idempotency.give(connection, region, kept)
        self._commits += 1
        turn.kept |= kept
        turn.step.now = before.now | turn.step.now
        turn.step.refused = [*before.refused, *turn.step.refused]
        turn.submit |= {one.transfer_id: one for one in turn.step.submit}
        turn.errands = []

    async def _missing(self, transfers: Sequence[Transfer], others: Sequence[Short]) -> dict[str, int]:
        """By id of what was refused: what its wallet lacks now. Absent where it has enough again, or the ledger is silent."""
        refused = [Short(one.transfer_id, self._account_of(one.wallet_id), one.source_total) for one in transfers]
        refused += others
        try:
            found = await self._ledger.lookup_accounts(sorted({one.account for one in refused})) if refused else {}
        except LedgerUnknown:
            return {}
        return shortfalls(refused, found)

    def _answer(self, turn: _Turn) -> None:
        refused = {(told.transfer_id, told.event): transfer for told, transfer in turn.step.refused}
        for index, transfer_id in turn.answering.items():
            name = turn.batch[index].name
            kept = turn.kept.get(transfer_id) if name == "accept" else None
            turn.replies[index] = kept or reply_to(name, turn.step.now.get(transfer_id), refused)
        for index, told in turn.told.items():
            if told.transfer_id not in turn.step.now:
                turn.replies[index] = TransferNotFound()
            elif (transfer := refused.get((told.transfer_id, told.event))) is not None:
                turn.replies[index] = refusal_of(told, transfer)

    async def _read(self, turn: _Turn, indices: Sequence[int]) -> None:
        """Balances and statements: the ledger's own figures, no journal."""
        for index in indices:
            command = turn.batch[index]
            wallet = self._wallets[command.wallet_id]
            turn.replies[index] = await _READERS[command.name](self._ledger, account_of(wallet), command.body)

    def _chain(self, owed: Owed) -> Chain:
        return chain_of(owed.transfer, owed.effect, self._account_of(owed.transfer.wallet_id), self._numbers)

    def _account_of(self, wallet_id: str) -> int:
        return account_of(self._wallets[wallet_id])


def _found(intents: Sequence[Intent]) -> list[str]:
    return [intent.found for intent in intents if intent.found is not None]


_READERS = {"balance": view.balance, "statement": view.statement}
_WRITERS = side_operations.COMMANDS | {"accept", "accept_lines", "cancel", "doubt", "resume", "tell"}
