"""A batch before its money moves: its lines validated, and, when its time has come, priced. One page a call, one transaction a page.

Each call takes the batch up where its rows stand, so whoever was stopped between two goes on with the next page, and whoever asks
twice finds nothing to do. Validation says of each line all that can be said before its time: who is to be paid and on whose
behalf, and whether the amount can be priced today. The price itself is locked when the batch is due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cells.backends.postgres import Connection
from cells.batches import notices, store
from cells.batches.batch import CHUNK, Batch, Fault, Line, LineState, State, after_validation
from cells.batches.store import Mark
from cells.fx.fees import FeeRule, FeesUnavailable, in_force, tags_of
from cells.fx.offers import Offer, Wish, offer
from cells.fx.quotes import NewQuote
from cells.fx.rate_age import RatesTooOld
from cells.fx.rates import RateSource, RateTable
from cells.fx.store import lock_quotes
from cells.fx.store_fees import all_rules
from cells.journal.entry import component
from cells.parties.payers import Payers
from cells.parties.recipients import Recipients
from cells.parties.token import RecipientToken, TokenCheck, TokenVerifier
from cells.tenants.store import find_tenants
from cells.tenants.tenant import Tenant
from residency.directory import CellEntry, Directory
from residency.errors import KovraError
from residency.ids import mint


@dataclass(frozen=True, slots=True)
class _Terms:
    """By what a page of lines is priced."""

    tenant: Tenant
    rules: tuple[FeeRule, ...]
    table: RateTable


@dataclass(frozen=True, slots=True)
class BatchRoom:
    """What a cell needs to look at lines."""

    entry: CellEntry
    directory: Directory
    payers: Payers
    recipients: Recipients
    tokens: TokenVerifier
    rates: RateSource
    rate_age_max_days: int | None

    async def prepare(self, connection: Connection, batch_id: str) -> bool:
        """One page of whatever a batch needs before its funding; whether anything was done. Safe to repeat. Raises FeesUnavailable and
        RatesTooOld where nothing can be priced now."""
        region = self.entry.region
        batch = (await store.lock(connection, region, [batch_id])).get(batch_id)
        if batch is None or batch.state not in (State.VALIDATING, State.SCHEDULED):
            return False
        tenant = (await find_tenants(connection, region, [batch.tenant_id]))[batch.tenant_id]
        at = datetime.now(UTC)
        rules = in_force(await all_rules(connection, region, at), tenant.tenant_id, at)
        if not rules:
            raise FeesUnavailable("This cell has no fee rules yet.")
        terms = _Terms(tenant, rules, self.rates.latest())
        validating = batch.state is State.VALIDATING
        lines = await store.lines_in(
            connection, region, batch_id, LineState.RECEIVED if validating else LineState.READY, CHUNK, priced=False
        )
        if not lines:
            await self._pass_on(connection, batch)
        elif validating:
            await store.mark(connection, region, batch_id, await self._validated(connection, terms, batch, lines))
        else:
            await store.mark(connection, region, batch_id, await self._priced(connection, terms, batch, lines))
        return True

    async def _pass_on(self, connection: Connection, batch: Batch) -> None:
        """Every line has been looked at: the batch goes on, or fails whole."""
        region = self.entry.region
        ready = await store.ready(connection, region, batch.batch_id)
        state, fault = after_validation(batch, ready.count)
        if state is State.FAILED:
            await notices.end(connection, region, batch, state, component("batches"), fault)
        else:
            funding = ready.source_minor if state is State.FUNDING else None
            event = "priced" if state is State.FUNDING else "validated"
            await store.move(connection, region, batch, state, event, component("batches"), funding_minor=funding)

    async def _validated(
        self, connection: Connection, terms: _Terms, batch: Batch, lines: Sequence[Line]
    ) -> list[Mark]:
        tenant = terms.tenant
        tokens = self.tokens.verify(
            [TokenCheck(one.recipient_id or "", tenant.tenant_id, one.target_currency) for one in lines]
        )
        here = [
            (tenant.tenant_id, one.row_id)
            for one in tokens
            if isinstance(one, RecipientToken) and one.cell == self.entry.name
        ]
        payees = await self.recipients.standing(connection, here) if here else {}
        payers = await self.payers.standing(connection, [(tenant.tenant_id, one.payer_id or "") for one in lines])
        marks: list[Mark] = []
        for line, token in zip(lines, tokens, strict=True):
            found: list[object] = [token, payers[tenant.tenant_id, line.payer_id or ""]]
            if isinstance(token, RecipientToken):
                found += [payees.get((tenant.tenant_id, token.row_id)), self._offered(terms, batch, line)]
            fault = next((Fault.of(one) for one in found if isinstance(one, KovraError)), None)
            marks.append(Mark(line.line, LineState.INVALID if fault else LineState.READY, fault))
        return marks

    async def _priced(self, connection: Connection, terms: _Terms, batch: Batch, lines: Sequence[Line]) -> list[Mark]:
        offers = [(one, self._offered(terms, batch, one)) for one in lines]
        new = {
            one.line: NewQuote(mint("qt", self.entry.name), batch.tenant_id, made.rail.name, made.price, _tags(one))
            for one, made in offers
            if isinstance(made, Offer)
        }
        quotes = await lock_quotes(connection, self.entry.region, list(new.values())) if new else []
        priced = dict(zip(new, quotes, strict=True))
        return [
            Mark(one.line, LineState.READY, None, priced[one.line].quote_id, priced[one.line].source_minor)
            if isinstance(made, Offer)
            else Mark(one.line, LineState.INVALID, Fault.of(made))
            for one, made in offers
        ]

    def _offered(self, terms: _Terms, batch: Batch, line: Line) -> Offer | KovraError:
        assert line.side is not None
        assert line.amount_minor is not None
        assert line.target_currency is not None
        wish = Wish(line.side, line.amount_minor, batch.source_currency, line.target_currency, _tags(line))
        try:
            return offer(self.directory, terms.table, terms.rules, terms.tenant, wish, self.rate_age_max_days)
        except RatesTooOld:
            # No fault of the line's: the batch waits for rates, as it would for a database.
            raise
        except KovraError as error:
            return error


def _tags(line: Line) -> tuple[str, ...]:
    return tags_of(line.metadata.get("tags", ""))
