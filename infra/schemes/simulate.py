"""What the sandbox's commands ask of the schemes: make things happen, let time go by, and tell what was asked and paid."""

from collections.abc import Callable, Container
from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from infra.schemes.bank import SchemeBank, Undecidable
from infra.schemes.clock import SchemeClock
from infra.schemes.courier import Courier
from infra.schemes.credits import SimulatedCredit, credit_notice
from infra.schemes.magic import magic_values
from infra.schemes.problems import problem
from infra.schemes.returns import SchemeReturns, SimulatedRecall, SimulatedReturn, Unreturnable
from infra.schemes.rules import SCHEMES
from infra.schemes.store import Entry, Payment, SchemeStore
from infra.schemes.store_notices import CREDIT, RETURN, GivenBack, Notice, NoticeStore
from residency.classes import Confidential, Public

_Asked = TypeVar("_Asked", bound=BaseModel)
_DAYS_MAX = 3_660
_PAGES_MAX = 99_999
_PAYMENTS_MAX = 1_000


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SimulatedDecision(_Command):
    """`POST /{rail}/simulate/decisions`: what becomes of a payment that was not paid."""

    end_to_end_id: Annotated[str, Confidential] = Field(min_length=1, max_length=35)
    settled: Annotated[bool, Public]
    reason: Annotated[str, Public] = Field(default="AC04", pattern=r"^[A-Z0-9]{4}$")


class SimulatedDuplicate(_Command):
    """`POST /{rail}/simulate/duplicates`: send a credit or a return again, as it was."""

    scheme_reference: Annotated[str, Public] = Field(min_length=1, max_length=35)
    times: Annotated[int, Public] = Field(default=1, ge=1, le=20)


class SimulatedHours(_Command):
    """`POST /{rail}/simulate/hours`: open or closed until further notice; null: by the scheme's own hours."""

    open: Annotated[bool | None, Public]


class SimulatedTime(_Command):
    """`POST /{rail}/simulate/time`: let time go by, at all schemes of the region; once for each `reference`, where there is one."""

    advance_s: Annotated[float, Public] = Field(ge=0, le=_DAYS_MAX * 86_400)
    reference: Annotated[str | None, Public] = Field(default=None, min_length=1, max_length=35)


class SimulatedTimeOf(_Command):
    """`POST /{rail}/simulate/time-of`: let time go by for these payments of the rail alone; once for each `reference`."""

    advance_s: Annotated[float, Public] = Field(ge=0, le=_DAYS_MAX * 86_400)
    reference: Annotated[str, Public] = Field(min_length=1, max_length=35)
    end_to_end_ids: Annotated[list[str], Confidential] = Field(max_length=_PAYMENTS_MAX)


class Simulation:
    """The handlers of the sandbox's doors; `courier()` is there while requests are served."""

    def __init__(
        self,
        store: SchemeStore,
        notices: NoticeStore,
        clock: SchemeClock,
        bank: SchemeBank,
        returns: SchemeReturns,
        courier: Callable[[], Courier],
        banks: Container[str],
    ) -> None:
        self._store = store
        self._notices = notices
        self._clock = clock
        self._bank = bank
        self._returns = returns
        self._courier = courier
        self._banks = banks

    async def collect(self, rail: str, _: Request, body: bytes) -> Response:
        asked = _read(SimulatedCredit, body)
        if SCHEMES[rail].currency != asked.currency:
            return problem(422, "Another currency", f"{rail} moves {SCHEMES[rail].currency}.")
        if asked.by_snap and rail not in self._banks:
            return problem(422, "No SNAP here", f"Nobody is told of money by SNAP over {rail}.")
        known = self._notices.find(rail, asked.scheme_reference)
        if known is None:
            known = credit_notice(rail, asked)
            with self._store.transaction():
                self._notices.add(known)
        self._courier().wake()
        return JSONResponse(_notice(known), 202)

    async def give_back(self, rail: str, _: Request, body: bytes) -> Response:
        try:
            sent = self._returns.simulate(rail, _read(SimulatedReturn, body))
        except Unreturnable as error:
            return problem(422, "Nothing to return", str(error))
        self._courier().wake()
        return JSONResponse(_notice(sent), 202)

    async def recall(self, rail: str, _: Request, body: bytes) -> Response:
        try:
            sent = self._returns.simulate_recall(rail, _read(SimulatedRecall, body))
        except Unreturnable as error:
            return problem(422, "Nothing to recall", str(error))
        self._courier().wake()
        return JSONResponse(_notice(sent), 202)

    async def decide(self, rail: str, _: Request, body: bytes) -> Response:
        asked = _read(SimulatedDecision, body)
        try:
            self._bank.decide(rail, asked.end_to_end_id, None if asked.settled else asked.reason)
        except Undecidable as error:
            return problem(422, "Nothing to decide", str(error))
        self._courier().wake()
        return self._payments(rail, asked.end_to_end_id)

    async def duplicate(self, rail: str, _: Request, body: bytes) -> Response:
        asked = _read(SimulatedDuplicate, body)
        with self._store.transaction():
            known = self._notices.find(rail, asked.scheme_reference)
            if known is None:
                return problem(404, "No such message", "The scheme sent none under that reference.")
            self._notices.send_again(rail, asked.scheme_reference, asked.times)
        self._courier().wake()
        return self._sent(rail, asked.scheme_reference)

    async def set_hours(self, rail: str, _: Request, body: bytes) -> Response:
        self._clock.set_hours(rail, _read(SimulatedHours, body).open)
        return self._state(rail)

    async def advance(self, rail: str, _: Request, body: bytes) -> Response:
        asked = _read(SimulatedTime, body)
        self._clock.advance(asked.advance_s, asked.reference)
        self._courier().work()
        self._courier().wake()
        return self._state(rail)

    async def planned(self, rail: str, request: Request, _: bytes) -> Response:
        after = request.query_params.get("after", "")
        return JSONResponse({"end_to_end_ids": self._store.planned(rail, after, _PAYMENTS_MAX)})

    async def advance_for(self, rail: str, _: Request, body: bytes) -> Response:
        asked = _read(SimulatedTimeOf, body)
        self._clock.bring_nearer(rail, asked.end_to_end_ids, asked.advance_s, asked.reference)
        self._courier().work()
        self._courier().wake()
        return self._state(rail)

    async def magic(self, rail: str, _request: Request, _body: bytes) -> Response:
        return JSONResponse({"rail": rail, "currency": SCHEMES[rail].currency, **magic_values(rail)})

    async def state(self, rail: str, _request: Request, _body: bytes) -> Response:
        return self._state(rail)

    async def sent(self, rail: str, request: Request, _: bytes) -> Response:
        return self._sent(rail, request.path_params["reference"])

    async def payments(self, rail: str, request: Request, _: bytes) -> Response:
        return self._payments(rail, request.path_params["end_to_end_id"])

    async def totals(self, rail: str, _request: Request, _body: bytes) -> Response:
        coming, going = self._store.totals(rail)
        shown = {"rail": rail, "currency": SCHEMES[rail].currency, "in_minor": coming, "out_minor": going}
        return JSONResponse(shown)

    async def movements(self, rail: str, request: Request, _: bytes) -> Response:
        day = read_day(request, self._clock, rail)
        coming, going = self._store.totals(rail, day)
        entries = [_entry(one) for one in self._store.entries(rail, day)]
        shown = {"rail": rail, "currency": SCHEMES[rail].currency, "day": day, "opening_minor": coming - going}
        return JSONResponse(shown | {"entries": entries})

    def _state(self, rail: str) -> Response:
        shown = {
            "rail": rail,
            "now": self._clock.now().isoformat(timespec="seconds"),
            "hours": self._clock.hours(rail),
            "open": self._clock.is_open(rail, SCHEMES[rail]),
        }
        return JSONResponse(shown)

    def _sent(self, rail: str, reference: str) -> Response:
        found = self._notices.find(rail, reference)
        if found is None:
            return problem(404, "No such message", "The scheme sent none under that reference.")
        shown = _notice(found)
        if found.kind == CREDIT:
            shown["given_back"] = [_given_back(one) for one in self._notices.given_back_of(rail, found.tx_id)]
        return JSONResponse(shown)

    def _payments(self, rail: str, end_to_end_id: str) -> Response:
        found = [self._payment(one) for one in self._store.payments_of(rail, end_to_end_id)]
        keys = ("asked", "paid", "returned_minor")
        sums = {key: sum(one[key] for one in found) for key in keys}
        return JSONResponse({"end_to_end_id": end_to_end_id} | sums | {"payments": found})

    def _payment(self, one: Payment) -> dict[str, Any]:
        returns = [_notice(sent) for sent in self._notices.about(one.rail, one.tx_id, RETURN)]
        recalls = self._notices.recalls_of(one.rail, one.tx_id)
        return {
            "tx_id": one.tx_id,
            "currency": one.currency,
            "amount_minor": one.amount_minor,
            "asked": one.asked,
            "paid": one.paid,
            "inquiries": one.inquiries,
            "fate": one.fate,
            "reason": one.reason if one.fate == "rejected" else "",
            "at": one.at,
            "returned_minor": sum(sent["amount_minor"] for sent in returns if sent["status"] == "accepted"),
            "returns": returns,
            "recalls": [{"recall_id": each.recall_id, "reason": each.why, "asked": each.asked} for each in recalls],
        }


class NotThat(Exception):
    """The command's body is not what it should be; the text names the fields."""


def _read(kind: type[_Asked], body: bytes) -> _Asked:
    """Raises NotThat."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        where = ", ".join(".".join(map(str, one["loc"])) for one in error.errors(include_input=False))
        raise NotThat(where or "the body") from None


def read_page(request: Request) -> int:
    """The page that `?page=` names, the first where it names none. Raises NotThat."""
    text = request.query_params.get("page", "1")
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) <= _PAGES_MAX:
        raise NotThat("the page: write it as in 2")
    return int(text)


def read_day(request: Request, clock: SchemeClock, rail: str, name: str = "day") -> str:
    """The day that `?day=`, or another name, has; today where there is none. Raises NotThat."""
    day = request.query_params.get(name, clock.today(rail))
    try:
        return date.fromisoformat(day).isoformat()
    except ValueError:
        raise NotThat("the day: write it as in 2026-11-21") from None


def _entry(one: Entry) -> dict[str, Any]:
    return {
        "direction": one.direction,
        "kind": one.kind,
        "amount_minor": one.amount_minor,
        "reference": one.reference,
        "end_to_end_id": one.end_to_end_id,
        "at": one.at,
    }


def _notice(one: Notice) -> dict[str, Any]:
    """What is told of a message: all but its body."""
    return {
        "scheme_reference": one.reference,
        "rail": one.rail,
        "kind": one.kind,
        "status": one.status,
        "reason": one.reason,
        "amount_minor": one.amount_minor,
        "currency": one.currency,
        "why": one.why,
        "deliveries": one.deliveries,
        "deliveries_wanted": one.deliveries_wanted,
    }


def _given_back(one: GivenBack) -> dict[str, Any]:
    return {
        "return_id": one.return_id,
        "amount_minor": one.amount_minor,
        "why": one.why,
        "asked": one.asked,
        "status": one.status,
        "reason": one.reason,
    }
