"""One leg of one payment, as its cell's journal tells it: the row, its quote, and the sums of its applied postings. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from cells.ledger.codes import Code, Phase
from cells.payments.machine import Leg, State
from cells.reconciliation.returns import Came
from cells.reconciliation.standing import Standing, standings

Amounts = Mapping[Code, int]


@dataclass(frozen=True, slots=True)
class QuoteFacts:
    """The integers that the quote promised, minor units."""

    principal: int
    margin: int
    fee: int
    target: int
    recipient_fee: int


@dataclass(frozen=True, slots=True)
class LegFacts:
    """`attempt`: of the hold; `applied`: amount by phase and code of the postings of the leg's own chains that the journal calls applied; `beside`: of
    what came back or was lost; `came`: what the rows of its returns say."""

    transfer_id: str
    leg: Leg
    state: State
    origin_cell: str
    destination_cell: str
    source_currency: str
    target_currency: str
    principal: int
    margin: int
    fee: int
    target: int
    recipient_fee: int
    attempt: int
    quote: QuoteFacts | None
    applied: Mapping[Phase, Amounts] = field(default_factory=dict)
    beside: Mapping[Phase, Amounts] = field(default_factory=dict)
    came: Came = field(default_factory=Came)

    @property
    def possible(self) -> frozenset[Standing]:
        return standings(self.leg, self.state)

    @property
    def payout(self) -> int:
        """What reaches the recipient's account."""
        return self.target - self.recipient_fee

    @property
    def posted(self) -> bool:
        return self.possible == {Standing.POSTED}

    @property
    def held(self) -> bool:
        return self.possible == {Standing.HELD}

    def currency_of(self, code: Code) -> str:
        """What a posting of that code is in. The origin leg alone has two currencies."""
        in_target = self.leg is Leg.DESTINATION or code in (Code.DEALING, Code.RETURN_DEALING)
        return self.target_currency if in_target else self.source_currency

    def terms(self) -> dict[Code, int]:
        """What the row says that each hold is for; nothing for zero."""
        match self.leg:
            case Leg.ORIGIN:
                wanted = {
                    Code.PRINCIPAL: self.principal,
                    Code.MARGIN: self.margin,
                    Code.FEE: self.fee,
                    Code.DEALING: self.target,
                }
            case Leg.DESTINATION:
                wanted = {Code.PAYOUT: self.payout, Code.RECIPIENT_FEE: self.recipient_fee}
            case Leg.IN_REGION:
                wanted = {Code.IN_REGION: self.payout, Code.FEE: self.fee, Code.RECIPIENT_FEE: self.recipient_fee}
        return {code: amount for code, amount in wanted.items() if amount}

    def expected(self, standing: Standing) -> dict[Phase, dict[Code, int]]:
        """What the journal must call applied in that standing."""
        wanted = self._last_attempt(standing)
        for _ in range(self._times_resumed):
            # It went on after a freeze: what was frozen and freed stands beside what was held anew.
            wanted = _added(self._last_attempt(Standing.FREED), wanted)
        return wanted

    @property
    def _times_resumed(self) -> int:
        """How often two officers have let the payment go on after a freeze; at the destination, a new attempt is a new try at the cap."""
        if self.leg is Leg.DESTINATION:
            return 0
        return self.attempt - 1 - int(self.state is State.RESUMING)

    def _last_attempt(self, standing: Standing) -> dict[Phase, dict[Code, int]]:
        terms = self.terms()
        match standing:
            case Standing.NONE:
                return {}
            case Standing.HELD:
                return {Phase.HOLD: terms}
            case Standing.VOIDED:
                return {Phase.HOLD: terms, Phase.VOID: terms}
            case Standing.FROZEN | Standing.FREED:
                frozen = sum(amount for code, amount in terms.items() if code is not Code.DEALING)
                freed = {Code.UNFREEZE: frozen} if standing is Standing.FREED else {}
                return {Phase.HOLD: terms, Phase.VOID: terms, Phase.DIRECT: {Code.FREEZE: frozen, **freed}}
            case Standing.POSTED:
                paid = terms.get(Code.PAYOUT, 0) + terms.get(Code.IN_REGION, 0)
                direct = {Phase.DIRECT: {Code.PAYOUT_SETTLED: paid}} if paid else {}
                return {Phase.HOLD: terms, Phase.POST: terms, **direct}


def _added(one: dict[Phase, dict[Code, int]], other: dict[Phase, dict[Code, int]]) -> dict[Phase, dict[Code, int]]:
    phases = one.keys() | other.keys()
    return {phase: dict(Counter(one.get(phase, {})) + Counter(other.get(phase, {}))) for phase in phases}
