"""The paying-out side: admitted instructions become destination legs, or are rejected where they stand, in the admission's commit.

The payee is screened here, where the payee's data lives, and what came sealed of the payer goes straight into this region's
vault. A leg, admitted or rejected, is its own tombstone: a second instruction for the same transfer finds the row and does nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cells.backends.postgres import Connection
from cells.backends.vault import Vault
from cells.compliance.checker import Clear, Verdict
from cells.customs.admit import SEALED_UNREADABLE, Admitted
from cells.parties.recipients import Recipients
from cells.parties.token import TokenCheck, TokenVerifier, split_token
from cells.rails import store_routing
from cells.rails.router import RailRouter
from cells.rails.store_routing import Routed
from cells.spec import CellSpec
from cells.tenants import store as tenants
from cells.tenants.tenant import NewWallet
from cells.transfers import personal, store, watch
from cells.transfers.machine import Event, Leg, State
from cells.transfers.step import take
from cells.transfers.transfer import PEER_TENANT_PREFIX, Told, Transfer
from residency.errors import KovraError
from residency.messages import Instructed

_ROOM = "border"

# ISO 20022 ExternalStatusReason1Code
_UNKNOWN_ACCOUNT = "AC01"
_BLOCKED = "RR04"  # regulatory reason
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
        reasons = await self._reasons(connection, new)
        routes = await self._routes(connection, [message for _, message in new], reasons)
        wallets = await self._peer_wallets(connection, [message for _, message in new])
        legs = [
            leg_of(one, message, wallets[message.origin_cell, message.currency], reasons.get(message.transfer_id))
            for one, message in new
        ]
        legs = [
            replace(leg, rail=routes[leg.transfer_id].route.rail or leg.rail) if leg.transfer_id in routes else leg
            for leg in legs
        ]
        await store.insert(connection, region, legs, "admitted", _ROOM)
        await store_routing.keep(connection, region, "admitted", list(routes.values()))
        watch.born(legs, {message.transfer_id: message.instructed_at for _, message in new}, watch.ADMIT)
        kept = [
            (message.tenant_id, message.transfer_id, one.parties) for one, message in new if one.parties is not None
        ]
        await personal.keep_parties(connection, self.vault, kept)
        refused = [
            Told(leg.transfer_id, Event.DESTINATION_REJECTED, {"reason_code": reasons[leg.transfer_id]})
            for leg in legs
            if leg.transfer_id in reasons
        ]
        await take(connection, region, refused, room=_ROOM)
        return [leg for leg in legs if leg.transfer_id not in reasons]

    async def _reasons(self, connection: Connection, new: Sequence[tuple[Admitted, Instructed]]) -> dict[str, str]:
        """Why an instruction cannot be carried out, by transfer id; those that can are absent."""
        checks = [TokenCheck(message.recipient_id, message.tenant_id, message.currency) for _, message in new]
        tokens = self.tokens.verify(checks)
        row_ids = {
            message.transfer_id: token.row_id
            for (_, message), token in zip(new, tokens, strict=True)
            if not isinstance(token, KovraError)
        }
        asked = [
            (message.tenant_id, row_ids[message.transfer_id]) for _, message in new if message.transfer_id in row_ids
        ]
        standing = await self.recipients.standing(connection, asked) if asked else {}
        reasons: dict[str, str] = {}
        for one, message in new:
            verdict = standing.get((message.tenant_id, row_ids.get(message.transfer_id, "")))
            reason = self._reason(one, message, verdict)
            if reason is not None:
                reasons[message.transfer_id] = reason
        return reasons

    def _reason(self, one: Admitted, message: Instructed, verdict: Verdict | KovraError | None) -> str | None:
        if one.faults:
            return _UNREADABLE if SEALED_UNREADABLE in one.faults else _MISSING_PAYER
        if verdict is None or isinstance(verdict, KovraError):
            return _UNKNOWN_ACCOUNT
        # A case for review cannot wait here: its own cell looked at registration, and the origin gives the money back.
        if not isinstance(verdict, Clear):
            return _BLOCKED
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


def leg_of(one: Admitted, message: Instructed, wallet_id: str, reason: str | None) -> Transfer:
    """The leg that an admitted instruction makes, in the correspondent wallet of its origin. Pure.

    `reason` when it cannot be carried out, else None.
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
        screening="clear" if reason is None else "block",
        deadline=message.deadline,
        instruction_sha256=one.opened.sha256,
    )
