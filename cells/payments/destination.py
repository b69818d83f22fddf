"""The paying-out side: admitted instructions become destination legs, or are rejected where they stand, in the admission's commit.

The payee is screened here, where the payee's data lives, and what came sealed of the payer goes straight into this region's
vault. A leg, admitted or rejected, is its own tombstone: a second instruction for the same transfer finds the row and does nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cells.backends.postgres import Connection
from cells.backends.vault import Vault
from cells.compliance.checker import Block, Review, Verdict
from cells.customs.admit import SEALED_UNREADABLE, TRAVEL_RULE, Admitted
from cells.journal.entry import component
from cells.parties.recipients import Recipients
from cells.parties.token import TokenCheck, TokenVerifier, split_token
from cells.payments import personal, store, watch
from cells.payments.machine import Event, Leg, State
from cells.payments.recovery import REGULATORY, REVIEW_LIFETIME
from cells.payments.screened import screening_of
from cells.payments.step import take
from cells.payments.stream import ADMITTED
from cells.payments.transfer import PEER_TENANT_PREFIX, Told, Transfer
from cells.rails import store_routing
from cells.rails.router import RailRouter
from cells.rails.store_routing import Routed
from cells.spec import CellSpec
from cells.tenants import store as tenants
from cells.tenants.tenant import NewWallet
from residency.errors import KovraError
from residency.messages import Instructed

_ROOM = "border"

# ISO 20022 ExternalStatusReason1Code
_UNKNOWN_ACCOUNT = "AC01"
_MISSING_PAYER = "RR01"  # missing debtor account or identification
_UNREADABLE = "RR02"  # missing debtor name or address: the sealed part does not open
_NO_RAIL = "AG03"  # transaction not supported


@dataclass(frozen=True, slots=True)
class Destination:
    """The paying-out side of one cell."""

    spec: CellSpec
    vault: Vault
    recipients: Recipients
    tokens: TokenVerifier
    router: RailRouter

    async def admit(self, connection: Connection, admitted: Sequence[Admitted]) -> list[Transfer]:
        """Make destination legs of admitted instructions, in the caller's transaction. Those that a wallet actor must now take."""
        instructions = [(one, one.opened.message) for one in admitted if isinstance(one.opened.message, Instructed)]
        if not instructions:
            return []
        region = self.spec.region
        known = await store.read(connection, region, [message.transfer_id for _, message in instructions])
        new = [(one, message) for one, message in instructions if message.transfer_id not in known]
        verdicts = await self._verdicts(connection, [message for _, message in new])
        reasons = self._reasons(new, verdicts)
        routes = await self._routes(connection, [message for _, message in new], reasons)
        wallets = await self._peer_wallets(connection, [message for _, message in new])
        at = datetime.now(UTC)
        legs = [
            leg_of(one, message, wallets[message.origin_cell, message.currency], verdicts.get(message.transfer_id), at)
            for one, message in new
        ]
        legs = [
            replace(leg, rail=routes[leg.transfer_id].route.rail or leg.rail) if leg.transfer_id in routes else leg
            for leg in legs
        ]
        await store.begin(connection, region, [(leg, component(_ROOM)) for leg in legs], ADMITTED)
        await store_routing.keep(connection, region, "admitted", list(routes.values()))
        watch.born(legs, {message.transfer_id: message.instructed_at for _, message in new}, watch.ADMIT)
        watch.made(legs, watch.ADMIT)
        kept = [
            (message.tenant_id, message.transfer_id, one.parties) for one, message in new if one.parties is not None
        ]
        await personal.keep_parties(connection, self.vault, kept)
        told = [first_word(leg, reasons.get(leg.transfer_id)) for leg in legs]
        await take(connection, region, [one for one in told if one is not None], room=_ROOM)
        return [leg for leg, word in zip(legs, told, strict=True) if word is None]

    async def _verdicts(self, connection: Connection, messages: Sequence[Instructed]) -> dict[str, Verdict]:
        """What screening says of the payees whose tokens hold and whose data is here, by transfer id."""
        checks = [TokenCheck(message.recipient_id, message.tenant_id, message.currency) for message in messages]
        keys = {
            message.transfer_id: (message.tenant_id, token.row_id)
            for message, token in zip(messages, self.tokens.verify(checks), strict=True)
            if not isinstance(token, KovraError)
        }
        standing = await self.recipients.standing(connection, list(keys.values())) if keys else {}
        return {
            transfer_id: verdict
            for transfer_id, key in keys.items()
            if not isinstance(verdict := standing[key], KovraError)
        }

    def _reasons(self, new: Sequence[tuple[Admitted, Instructed]], verdicts: Mapping[str, Verdict]) -> dict[str, str]:
        """Why an instruction cannot be carried out, by transfer id; those that can are absent."""
        reasons = {
            message.transfer_id: self._reason(one, message, verdicts.get(message.transfer_id)) for one, message in new
        }
        return {transfer_id: reason for transfer_id, reason in reasons.items() if reason is not None}

    def _reason(self, one: Admitted, message: Instructed, verdict: Verdict | None) -> str | None:
        if one.faults:
            return reason_of_faults(one.faults)
        if verdict is None:
            return _UNKNOWN_ACCOUNT
        if isinstance(verdict, Block):
            return REGULATORY
        rail = message.rail
        if rail is None or rail not in self.spec.entry.rails:
            return _NO_RAIL
        return None

    async def _routes(
        self, connection: Connection, messages: Sequence[Instructed], reasons: dict[str, str]
    ) -> dict[str, Routed]:
        """The rail of each instruction that can be carried out, by transfer id: this cell knows its rails, the origin only expected
        one. What nothing carries joins `reasons`."""
        table = await self.router.table(connection, datetime.now(UTC))
        payable = [one for one in messages if one.transfer_id not in reasons]
        rows = {one.recipient_id: split_token(one.recipient_id).row_id for one in payable}
        countries = await self.recipients.countries(connection, list(rows.values())) if rows else {}
        routed: dict[str, Routed] = {}
        for message in payable:
            country = countries[rows[message.recipient_id]]
            # The money is on its way, so a deadline that nothing meets any more is no refusal: the soonest carries it then.
            route = table.route(message.currency, message.amount_minor - message.fee_minor, message.deadline, country)
            if route.rail is None:
                reasons[message.transfer_id] = route.reason_code or _NO_RAIL
            else:
                routed[message.transfer_id] = Routed(message.transfer_id, message.tenant_id, route)
        return routed

    async def _peer_wallets(self, connection: Connection, messages: Sequence[Instructed]) -> dict[tuple[str, str], str]:
        """The correspondent wallet of each (origin cell, currency): opened when the cell was (cells/cell.py)."""
        wanted = {
            (message.origin_cell, message.currency): NewWallet(
                PEER_TENANT_PREFIX + message.origin_cell, message.currency
            )
            for message in messages
        }
        found = await tenants.find_wallets_of_tenants(connection, self.spec.region, list(wanted.values()))
        return {key: found[new].wallet_id for key, new in wanted.items()}


def reason_of_faults(faults: Sequence[str]) -> str:
    """Why an instruction that was admitted with faults is not carried out. Pure."""
    if SEALED_UNREADABLE in faults:
        return _UNREADABLE
    return _MISSING_PAYER if any(one.startswith(TRAVEL_RULE) for one in faults) else REGULATORY


def first_word(leg: Transfer, reason: str | None) -> Told | None:
    """What is told of a leg in the commit that makes it: that it is refused, or waits for an officer; None: its wallet takes it. Pure."""
    if reason is not None:
        return Told(leg.transfer_id, Event.DESTINATION_REJECTED, {"reason_code": reason})
    return Told(leg.transfer_id, Event.REFERRED) if leg.screening == "review" else None


def leg_of(one: Admitted, message: Instructed, wallet_id: str, verdict: Verdict | None, at: datetime) -> Transfer:
    """The leg that an admitted instruction makes, in the correspondent wallet of its origin. Pure.

    `verdict`: what screening says of the payee, None where there is none to screen; `at`: now.
    """
    return Transfer(
        transfer_id=message.transfer_id,
        tenant_id=message.tenant_id,
        leg=Leg.DESTINATION,
        state=State.ADMITTED,
        version=1,
        wallet_id=wallet_id,
        origin_cell=message.origin_cell,
        destination_cell=message.destination_cell,
        quote_id=None,
        recipient_id=message.recipient_id,
        payer_id=None,
        source_currency=message.source_currency,
        target_currency=message.currency,
        principal=0,
        margin=0,
        fee=0,
        target_amount=message.amount_minor,
        recipient_fee=message.fee_minor,
        rail=message.rail or "",
        screening=screening_of(verdict),
        review_reasons=(verdict.reason,) if isinstance(verdict, Review) else (),
        review_until=at + REVIEW_LIFETIME if isinstance(verdict, Review) else None,
        deadline=message.deadline,
        instruction_sha256=one.opened.sha256,
    )
