"""Acceptance: from a partner's wish to a journaled intent, for a whole batch in one transaction.

The intent commit claims the idempotency key, reserves the limits, takes the quote (single use, expiry by the database's clock), keeps
the screening verdict and journals the payment, from which its posting ids follow. Whatever it refuses, it refuses with nothing moved; the refusal is the answer
that is kept under the key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cells.backends.postgres import Connection
from cells.backends.vault import Vault
from cells.compliance.checker import Verdict
from cells.compliance.rules import Rules
from cells.fx.quotes import Quote, QuoteUse, UnknownQuote
from cells.fx.store import find_quotes, use_quotes
from cells.idempotency import store as idempotency
from cells.idempotency.answer import Answer, IdempotencyConflict, answer_of_error
from cells.idempotency.store import Claim, Claimed
from cells.limits.book import LimitBook
from cells.limits.store import Release, Reservation, release, reserve
from cells.parties.payers import Payers, open_payers
from cells.parties.recipients import Recipients
from cells.parties.token import RecipientToken, TokenCheck, TokenVerifier
from cells.payments import personal, store, watch
from cells.payments.acceptance import Acceptance
from cells.payments.machine import Leg, State
from cells.payments.recovery import REVIEW_LIFETIME
from cells.payments.routed import route_in_region
from cells.payments.screened import review_reasons, worst
from cells.payments.stream import ACCEPTED
from cells.payments.transfer import Transfer
from cells.rails import store_routing
from cells.rails.router import RailRouter
from cells.rails.routing import DeadlineCannotBeMet
from cells.rails.store_routing import Routed
from cells.tenants.tenant import Wallet
from residency.directory import CellEntry, Directory
from residency.errors import KovraError

OPERATION = "transfers.create"


class QuoteMismatch(KovraError):
    code = "quote-mismatch"
    status = 422
    title = "The quote, the wallet and the recipient do not belong together"


class WalletNotOpen(KovraError):
    code = "wallet-not-open"
    status = 409
    title = "The wallet is frozen or closed"


@dataclass(frozen=True, slots=True)
class Intent:
    """What the intent commit made of one acceptance: an answer at once, or a transfer (new, or `found` in flight) to go on with."""

    answer: Answer | None = None
    transfer: Transfer | None = None
    found: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The paying side of one cell."""

    entry: CellEntry
    directory: Directory
    vault: Vault
    payers: Payers
    recipients: Recipients
    tokens: TokenVerifier
    router: RailRouter
    limit_book: LimitBook
    rules: Rules

    async def claim(self, connection: Connection, asked: Sequence[Acceptance]) -> list[Claimed]:
        """Claim the idempotency keys of a batch of acceptances, in order, inside the caller's transaction."""
        claims = [Claim(x.tenant_id, OPERATION, x.idempotency_key, x.request_sha256, x.transfer_id) for x in asked]
        return await idempotency.claim(connection, self.entry.region, claims)

    async def intend(
        self, connection: Connection, asked: Sequence[tuple[Acceptance, Wallet]], claimed: Sequence[Claimed]
    ) -> list[Intent]:
        """Decide and journal a batch of acceptances, in order, inside the caller's transaction. `claimed`: what `claim` made of them."""
        region = self.entry.region
        intents: list[Intent | None] = [_seen(one) for one in claimed]
        fresh = [index for index, intent in enumerate(intents) if intent is None]
        made = await self.make(connection, [asked[index] for index in fresh])
        refusals: dict[str, Answer] = {}
        for index, verdict in zip(fresh, made, strict=True):
            if isinstance(verdict, KovraError):
                transfer_id = asked[index][0].transfer_id
                refusals[transfer_id] = answer = answer_of_error(verdict, transfer_id)
                intents[index] = Intent(answer=answer)
            else:
                intents[index] = Intent(transfer=verdict)
        await idempotency.give(connection, region, refusals)
        return [intent for intent in intents if intent]

    async def make(
        self, connection: Connection, asked: Sequence[tuple[Acceptance, Wallet]]
    ) -> list[Transfer | KovraError]:
        """Decide a batch of acceptances that nothing was made of yet, and journal what stands: each one's transfer, or why not."""
        region, routed = self.entry.region, dict[str, Routed]()
        decided = await self._decide(connection, asked, routed)
        transfers = [one for one in decided if isinstance(one, Transfer)]
        by = {one.transfer_id: one.author for one, _ in asked}
        await store.begin(connection, region, [(one, by[one.transfer_id]) for one in transfers], ACCEPTED)
        alone = [one for one in transfers if one.batch_id is None]
        watch.born(alone, {one.transfer_id: watch.minted_at(one.transfer_id) for one in alone}, watch.ACCEPT)
        watch.made(transfers, watch.ACCEPT, {key: one.request_id for key, one in by.items()})
        ids = {one.transfer_id for one in transfers}
        await store_routing.keep(connection, region, "accepted", [one for key, one in routed.items() if key in ids])
        await personal.keep_remittances(
            connection, region,
            [(one.tenant_id, one.transfer_id, one.remittance) for one, _ in asked if one.transfer_id in ids and one.remittance],
        )  # fmt: skip
        return decided

    async def _decide(
        self, connection: Connection, asked: Sequence[tuple[Acceptance, Wallet]], routed: dict[str, Routed]
    ) -> list[Transfer | KovraError]:
        """For each, the transfer to make or why not. Reads first; then limits, then the quotes of those that stand. `routed`: takes
        the rails chosen, by transfer id."""
        if not asked:
            return []
        quotes = await find_quotes(connection, self.entry.region, [one.quote_id for one, _ in asked])
        standing = await self.payers.standing(connection, [(one.tenant_id, one.payer_id) for one, _ in asked])
        tokens = self.tokens.verify([
            TokenCheck(one.recipient_id, one.tenant_id, quotes[one.quote_id].target_currency if one.quote_id in quotes else None)
            for one, _ in asked
        ])  # fmt: skip
        payees = await self._payees(connection, asked, tokens)
        results: list[Transfer | KovraError] = [
            self._draft(one, wallet, quotes.get(one.quote_id), token, standing[(one.tenant_id, one.payer_id)], payees)
            for (one, wallet), token in zip(asked, tokens, strict=True)
        ]
        results = await route_in_region(
            connection, self.router, self.recipients, [one for one, _ in asked], results, routed
        )
        wallets = [wallet for _, wallet in asked]
        results = _refuse(results, await self._lacking(connection, results, wallets))
        results = _refuse(results, await self._reserve(connection, results, wallets))
        uses = [
            QuoteUse(one.transfer_id, one.tenant_id, one.quote_id or "") for one in results if isinstance(one, Transfer)
        ]
        lost = await use_quotes(connection, self.entry.region, uses) if uses else {}
        await self._give_back(
            connection, [one for one in results if isinstance(one, Transfer) and one.transfer_id in lost]
        )
        return _refuse(results, lost)

    async def _payees(
        self,
        connection: Connection,
        asked: Sequence[tuple[Acceptance, Wallet]],
        tokens: Sequence[RecipientToken | KovraError],
    ) -> dict[str, Verdict | KovraError]:
        """By token, where the payees stand whose data lives here. Another region's payee is screened there, at admission."""
        here = {
            one.recipient_id: (one.tenant_id, token.row_id)
            for (one, _), token in zip(asked, tokens, strict=True)
            if isinstance(token, RecipientToken) and token.cell == self.entry.name
        }
        standing = await self.recipients.standing(connection, list(here.values())) if here else {}
        return {text: standing[key] for text, key in here.items()}

    def _draft(
        self,
        asked: Acceptance,
        wallet: Wallet,
        quote: Quote | None,
        token: RecipientToken | KovraError,
        verdict: Verdict | KovraError,
        payees: Mapping[str, Verdict | KovraError],
    ) -> Transfer | KovraError:
        refusal = _first_fault(asked, wallet, quote, token, verdict, payees.get(asked.recipient_id))
        if refusal is not None:
            return refusal
        assert quote is not None
        assert isinstance(token, RecipientToken)
        in_region = token.cell == self.entry.name
        screened = [verdict, payees[asked.recipient_id]] if in_region else [verdict]
        result = worst(screened)
        [large] = self.rules.review_reasons([(quote.source_currency, quote.source_minor)])
        reasons = review_reasons(screened, large)
        return Transfer(
            transfer_id=asked.transfer_id,
            tenant_id=asked.tenant_id,
            leg=Leg.IN_REGION if in_region else Leg.ORIGIN,
            state=State.CREATED,
            version=1,
            wallet_id=wallet.wallet_id,
            origin_cell=self.entry.name,
            destination_cell=token.cell,
            quote_id=quote.quote_id,
            recipient_id=asked.recipient_id,
            payer_id=asked.payer_id,
            source_currency=quote.source_currency,
            target_currency=quote.target_currency,
            principal=quote.principal_minor,
            margin=quote.margin_minor,
            fee=quote.fee_minor,
            target_amount=quote.target_minor,
            recipient_fee=quote.recipient_fee_minor,
            rail=quote.rail,
            screening=result,
            review_reasons=reasons,
            review_until=datetime.now(UTC) + REVIEW_LIFETIME if reasons else None,
            metadata=asked.metadata,
            batch_id=asked.batch_id,
            deadline=asked.deadline,
            created_at=datetime.now(UTC),
        )

    async def _lacking(
        self, connection: Connection, results: Sequence[Transfer | KovraError], wallets: Sequence[Wallet]
    ) -> dict[str, KovraError]:
        """Transfers across a border whose payer lacks what the law makes travel: said now, not after the funds are held."""
        crossing = [
            (one, wallet)
            for one, wallet in zip(results, wallets, strict=True)
            if isinstance(one, Transfer) and one.leg is Leg.ORIGIN
        ]
        if not crossing:
            return {}
        payers = await open_payers(connection, self.vault, sorted({one.payer_id or "" for one, _ in crossing}))
        lacking: dict[str, KovraError] = {}
        # A partner pays for the same payer many times in a batch, and the law asks the same of him each time.
        told: dict[tuple[str, str, int], KovraError | None] = {}
        for one, wallet in crossing:
            wanted, payer_id = personal.demanded(self.directory, one), one.payer_id or ""
            key = (payer_id, wallet.account_number, id(wanted))
            if key not in told:
                told[key] = personal.lack(wanted, payers[payer_id], wallet.account_number)
            if (error := told[key]) is not None:
                lacking[one.transfer_id] = error
        return lacking

    async def _reserve(
        self, connection: Connection, results: Sequence[Transfer | KovraError], wallets: Sequence[Wallet]
    ) -> dict[str, KovraError]:
        drafts = [(one, wallet) for one, wallet in zip(results, wallets, strict=True) if isinstance(one, Transfer)]
        if not drafts:
            return {}
        wanted = [Reservation(one.transfer_id, one.sender(wallet.tier), one.source_total) for one, wallet in drafts]
        bounds = await self.limit_book.bounds(connection)
        verdicts = await reserve(connection, self.entry.region, wanted, bounds)
        return {transfer_id: verdict for transfer_id, verdict in verdicts.items() if verdict is not None}

    async def _give_back(self, connection: Connection, transfers: Sequence[Transfer]) -> None:
        """A quote was lost to another transfer in between: what was reserved in this very transaction goes back."""
        if transfers:
            now = await store.transaction_time(connection)
            gone = [Release(one.sender(), one.source_total, now) for one in transfers]
            await release(connection, self.entry.region, gone)


def _seen(claimed: Claimed) -> Intent | None:
    """What a claimed key means before anything is decided: None for a first request."""
    if claimed.first:
        return None
    if not claimed.same_request:
        return Intent(answer=answer_of_error(IdempotencyConflict()))
    if claimed.answer is not None:
        return Intent(answer=claimed.answer)
    return Intent(found=claimed.resource_id)


def _first_fault(
    asked: Acceptance,
    wallet: Wallet,
    quote: Quote | None,
    token: RecipientToken | KovraError,
    verdict: Verdict | KovraError,
    payee: Verdict | KovraError | None,
) -> KovraError | None:
    if quote is None or quote.tenant_id != asked.tenant_id:
        return UnknownQuote(pointer="/quote_id")
    if quote.source_currency != wallet.currency or wallet.tenant_id != asked.tenant_id:
        return QuoteMismatch("The quote is for another wallet.", pointer="/quote_id")
    if wallet.state != "open":
        return WalletNotOpen()
    if asked.deadline is not None and asked.deadline <= datetime.now(UTC):
        return DeadlineCannotBeMet("The deadline has passed.", pointer="/deadline")
    if isinstance(token, KovraError):
        return token
    if isinstance(verdict, KovraError):
        return verdict
    return payee if isinstance(payee, KovraError) else None


def _refuse(
    results: Sequence[Transfer | KovraError], refusals: Mapping[str, KovraError]
) -> list[Transfer | KovraError]:
    return [refusals.get(one.transfer_id, one) if isinstance(one, Transfer) else one for one in results]
