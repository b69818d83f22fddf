"""What stands behind a rail actor: the record of submissions, the vault it opens parties from, and the words for the wallets.

See cells.rails.desk.RailDesk. Personal data is opened here, handed to the connector, and kept nowhere.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from cells.backends.postgres import Connection, Pool, transaction
from cells.backends.vault import Vault
from cells.kit.command import Command
from cells.parties import store as parties
from cells.parties.payers import open_payers, payer_party
from cells.parties.recipients import open_for_payout
from cells.parties.token import split_token
from cells.payments import answers as recorded
from cells.payments import personal
from cells.payments import store as transfers_store
from cells.payments.machine import Event, Leg
from cells.payments.routed import move
from cells.payments.transfer import Told, Transfer
from cells.rails import registry, store, store_routing
from cells.rails.console import wallet_account
from cells.rails.desk import Submission
from cells.rails.rail import InDoubt, Outcome, Party, Payout, Rail, Refused, Settled
from cells.rails.remittance import Remittance
from cells.rails.router import RailRouter
from cells.rails.routing import OPEN_CIRCUIT
from cells.rails.store import NewSubmission
from cells.rails.store_routing import Routed
from cells.spec import CellSpec
from cells.tenants import store as tenants

# ISO 20022: the account is unknown or closed (a recipient erased since the payment was accepted).
_GONE = "AC04"


class JournalDesk:
    """The RailDesk of one rail of one cell, on the cell's journal and vault."""

    def __init__(self, spec: CellSpec, pool: Pool, vault: Vault, router: RailRouter, rail: Rail, name: str) -> None:
        self.rail = rail
        self._router = router
        self._spec = spec
        self._region = spec.region
        self._pool = pool
        self._vault = vault
        self._name = name

    async def enqueue(self, transfer_ids: Sequence[str]) -> None:
        async with transaction(self._pool) as connection:
            found = await transfers_store.read(connection, self._region, transfer_ids)
            new = [NewSubmission(one.transfer_id, one.tenant_id) for one in found.values()]
            await store.enqueue(connection, self._region, self._name, new)

    async def mark_asked(self, transfer_ids: Sequence[str]) -> Mapping[str, datetime]:
        async with transaction(self._pool) as connection:
            return await store.mark_asked(connection, self._region, self._name, transfer_ids)

    async def mark_queued(self, transfer_ids: Sequence[str]) -> None:
        async with transaction(self._pool) as connection:
            await store.mark_queued(connection, self._region, transfer_ids)

    async def record(self, answers: Sequence[tuple[str, Outcome]]) -> Mapping[str, Outcome]:
        async with transaction(self._pool) as connection:
            return await recorded.record(connection, self._region, self._name, dict(answers), inquired=True)

    async def acknowledge(self, transfer_ids: Sequence[str]) -> None:
        async with transaction(self._pool) as connection:
            await store.acknowledge(connection, self._region, transfer_ids)

    async def unfinished(self, after: str, limit: int) -> Sequence[Submission]:
        async with transaction(self._pool) as connection:
            return await store.unfinished(connection, self._region, self._name, after, limit)

    async def prepare(self, transfer_ids: Sequence[str]) -> Sequence[Payout | Refused]:
        """Each transfer as the scheme must hear it; Refused where the recipient is gone."""
        async with transaction(self._pool) as connection:
            found = await transfers_store.read(connection, self._region, transfer_ids)
            transfers = [found[one] for one in transfer_ids]
            rows = {one.transfer_id: split_token(one.recipient_id).row_id for one in transfers}
            creditors = await open_for_payout(connection, self._vault, sorted(set(rows.values())))
            debtors = await self._debtors(connection, transfers)
        return [self._payout(one, debtors[one.transfer_id], creditors.get(rows[one.transfer_id])) for one in transfers]

    async def commands(self, answers: Sequence[tuple[str, Outcome]]) -> Sequence[Command]:
        async with transaction(self._pool) as connection:
            found = await transfers_store.read(connection, self._region, [one for one, _ in answers])
        return [command_of(found[transfer_id], outcome) for transfer_id, outcome in answers]

    async def fall_back(self, transfer_ids: Sequence[str], now: datetime) -> Mapping[str, Sequence[str]]:
        """See RailDesk. A payment that was asked is not queued, so it cannot move: the update says so itself."""
        if not self.rail.profile.may_reroute:
            return {}
        async with transaction(self._pool) as connection:
            table = await self._router.table(connection, now, {self._name: OPEN_CIRCUIT})
            found = await transfers_store.read(connection, self._region, transfer_ids)
            rows = {one.recipient_id: split_token(one.recipient_id).row_id for one in found.values()}
            countries = await parties.countries(connection, self._region, list(rows.values()))
            routed: dict[str, Routed] = {}
            for transfer_id, one in found.items():
                country = countries.get(rows[one.recipient_id], "")
                route = table.fallback(one.target_currency, one.payout_amount, one.deadline, country)
                if route is not None:
                    routed[transfer_id] = Routed(transfer_id, one.tenant_id, route)
            moves = [(transfer_id, one.route.rail or "") for transfer_id, one in routed.items()]
            moved = await move(connection, self._region, self._name, dict(moves)) if moves else set()
            await store_routing.keep(connection, self._region, "fallback", [routed[one] for one in sorted(moved)])
        by_rail: dict[str, list[str]] = {}
        for transfer_id, rail in moves:
            if transfer_id in moved:
                by_rail.setdefault(rail, []).append(transfer_id)
        return by_rail

    async def note_breaker(self, state: str) -> None:
        async with transaction(self._pool) as connection:
            await store_routing.note_breaker(connection, self._region, self._name, state)

    async def own_wallets(self) -> Sequence[str]:
        async with transaction(self._pool) as connection:
            limit = self._spec.entry.capacity.wallet_actors_max
            return await tenants.own_wallets(connection, self._region, limit)

    async def close(self) -> None:
        await self.rail.close()
        await self._pool.close()

    async def _debtors(
        self, connection: Connection, transfers: Sequence[Transfer]
    ) -> dict[str, tuple[Party, Remittance]]:
        """By transfer id, who pays and with what remittance: out of our own payers, or out of what came sealed."""
        own = [one for one in transfers if one.leg is Leg.IN_REGION]
        foreign = [one for one in transfers if one.leg is Leg.DESTINATION]
        sealed = await personal.open_parties(connection, self._vault, [one.transfer_id for one in foreign])
        debtors = {
            one.transfer_id: (
                personal.debtor_of(sealed[one.transfer_id]),
                Remittance(text=sealed[one.transfer_id].remittance or ""),
            )
            for one in foreign
        }
        if own:
            payers = await open_payers(connection, self._vault, sorted({one.payer_id or "" for one in own}))
            wallets = await tenants.find_wallets(connection, self._region, sorted({one.wallet_id for one in own}))
            texts = await personal.open_remittances(connection, self._vault, [one.transfer_id for one in own])
            form = registry.profile_of(self._name).account_form
            for one in own:
                account = wallet_account(form, wallets[one.wallet_id].account_number)
                party = payer_party(payers[one.payer_id or ""], account)
                debtors[one.transfer_id] = (party, texts.get(one.transfer_id, Remittance()))
        return debtors

    def _payout(self, transfer: Transfer, debtor: tuple[Party, Remittance], creditor: Party | None) -> Payout | Refused:
        if creditor is None:
            return Refused(_GONE, "The recipient's account is no longer on file.", datetime.now(UTC))
        return Payout(
            transfer_id=transfer.transfer_id,
            amount_minor=transfer.payout_amount,
            currency=transfer.target_currency,
            debtor=debtor[0],
            creditor=creditor,
            remittance=debtor[1],
        )


def command_of(transfer: Transfer, outcome: Outcome) -> Command:
    """The scheme's answer as its wallet is told of it; the id is made of transfer and answer, so a repetition is one."""
    transfer_id = transfer.transfer_id
    match outcome:
        case Settled(scheme_reference=reference):
            told = Told(transfer_id, Event.RAIL_SETTLED, {"scheme_reference": reference})
        case Refused(reason_code=reason_code):
            told = Told(transfer_id, Event.RAIL_REFUSED, {"reason_code": reason_code})
        case InDoubt():
            return Command(f"{transfer_id}:in_doubt", transfer.wallet_id, "doubt", transfer_id)
    return Command(f"{transfer_id}:{told.event}", transfer.wallet_id, "tell", told)
