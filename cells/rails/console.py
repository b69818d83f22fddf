"""The scheme simulator's console: one method per command of the sandbox. Sandbox only.

A real scheme has no such door; its statements come as messages. Nothing on the path of a payment uses this.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import orjson

from cells.rails.accounts import account_fields
from cells.rails.connection import SchemeConnection, sign
from cells.rails.rail import Account, Party, RailUnavailable, utc_now
from residency.errors import KovraError

_ANSWER_TIME_S = 5.0


class ConsoleRefused(KovraError):
    """The simulator does not do that; its reason is in the detail."""

    code = "sandbox-refused"
    status = 422
    title = "The sandbox scheme refused"


@dataclass(frozen=True, slots=True)
class Payments:
    """How often the scheme was asked for a payment, how often it paid it, and what came back of it (accepted returns, minor units)."""

    asked: int
    paid: int
    returned_minor: int = 0


@dataclass(frozen=True, slots=True)
class SchemeState:
    """`now` at the scheme; `hours`: open or closed until further notice, or `own`, the scheme's."""

    now: datetime
    hours: str
    open: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """One rail's money at the scheme, minor units: all that came in, all that went out."""

    rail: str
    currency: str
    in_minor: int
    out_minor: int

    @property
    def balance_minor(self) -> int:
        return self.in_minor - self.out_minor


@dataclass(frozen=True, slots=True)
class Movements:
    """What moved on one day of the scheme's time. An entry has `direction` (CRDT is money in), `kind`, `amount_minor`,
    `reference`, `end_to_end_id` and `at`.
    """

    rail: str
    currency: str
    day: str
    opening_minor: int
    entries: Sequence[Mapping[str, Any]]

    @property
    def closing_minor(self) -> int:
        """The balance at the end of the day."""
        moves = [int(one["amount_minor"]) * (1 if one["direction"] == "CRDT" else -1) for one in self.entries]
        return self.opening_minor + sum(moves)


_SOMETHING_ELSE = "The sandbox scheme answers with something else than it should."
Made = TypeVar("Made")


class _Fields(dict[str, Any]):
    """What the simulator answered. A field that it lacks is an answer that says nothing: RailUnavailable."""

    def __missing__(self, name: str) -> Any:
        raise RailUnavailable(_SOMETHING_ELSE)


def _made(kind: Callable[..., Made], found: Mapping[str, Any]) -> Made:
    """Raises RailUnavailable where its fields are others."""
    try:
        return kind(**found)
    except TypeError as error:
        raise RailUnavailable(_SOMETHING_ELSE) from error


class SchemeConsole:
    """An async context manager; all methods raise RailUnavailable when the simulator does not answer."""

    def __init__(self, connection: SchemeConnection) -> None:
        self._connection = connection
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_TIME_S))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._client is not None
        await self._client.close()

    async def collect(
        self,
        amount_minor: int,
        currency: str,
        creditor: Account,
        debtor: Party,
        *,
        remittance: str = "",
        scheme_reference: str | None = None,
        deliveries: int = 1,
        by_snap: bool = False,
    ) -> str:
        """Make a credit arrive; returns its scheme reference. The same reference again changes
        nothing.

        `deliveries`: how often the scheme sends the one message; `by_snap`: told by our bank. Raises ConsoleRefused.
        """
        payer: dict[str, Any] = {"name": debtor.name}
        payer |= {name: value for name, value in (("country", debtor.country), ("town", debtor.town)) if value}
        if debtor.account is not None:
            payer["account"] = account_fields(debtor.account)
        asked: dict[str, Any] = {
            "amount_minor": amount_minor,
            "currency": currency,
            "debtor": payer,
            "creditor_account": account_fields(creditor),
            "remittance": remittance,
            "deliveries": deliveries,
            "by_snap": by_snap,
        }
        if scheme_reference is not None:
            asked["scheme_reference"] = scheme_reference
        return str((await self._ask("POST", "/simulate/collections", asked))["scheme_reference"])

    async def collection(self, scheme_reference: str) -> Mapping[str, Any]:
        """`status` (sent, accepted, refused), `reason`, `deliveries`.
        Raises ConsoleRefused for an unknown one.
        """
        return await self._ask("GET", f"/collections/{scheme_reference}")

    async def payments(self, end_to_end_id: str) -> Payments:
        found = await self.payment(end_to_end_id)
        return Payments(int(found["asked"]), int(found["paid"]), int(found["returned_minor"]))

    async def payment(self, end_to_end_id: str) -> Mapping[str, Any]:
        """All that the scheme knows of a payment: `payments`, each with its `fate`, `returns` and `recalls`, below the sums."""
        return await self._ask("GET", f"/payments/{end_to_end_id}")

    async def settle(self, end_to_end_id: str) -> None:
        """A payment that was not paid yet, or was lost, is paid after all; the scheme says so by itself. Raises ConsoleRefused."""
        await self._ask("POST", "/simulate/decisions", {"end_to_end_id": end_to_end_id, "settled": True})

    async def reject(self, end_to_end_id: str, reason: str = "AC04") -> None:
        """A payment that was not paid is refused; the scheme says so by itself. Raises ConsoleRefused."""
        asked = {"end_to_end_id": end_to_end_id, "settled": False, "reason": reason}
        await self._ask("POST", "/simulate/decisions", asked)

    async def give_back(
        self,
        end_to_end_id: str,
        amount_minor: int | None = None,
        reason: str = "AC04",
        *,
        return_id: str | None = None,
        deliveries: int = 1,
        unchecked: bool = False,
    ) -> str:
        """The payee's bank returns a payment of ours, all that is left of it by default; the scheme reference of the return.

        The same `return_id` again changes nothing. `unchecked`: also what was never paid. Raises ConsoleRefused.
        """
        asked: dict[str, Any] = {
            "end_to_end_id": end_to_end_id,
            "amount_minor": amount_minor,
            "reason": reason,
            "deliveries": deliveries,
            "unchecked": unchecked,
            "return_id": return_id,
        }
        return str((await self._ask("POST", "/simulate/returns", asked))["scheme_reference"])

    async def returned(self, return_id: str) -> Mapping[str, Any]:
        """What became of a return: as `collection` says it. Raises ConsoleRefused."""
        return await self._ask("GET", f"/returns/{return_id}")

    async def recall(self, scheme_reference: str, reason: str = "DUPL") -> str:
        """The payer's bank wants a credit back that we accepted; the id of the recall. Raises ConsoleRefused."""
        asked = {"scheme_reference": scheme_reference, "reason": reason}
        return str((await self._ask("POST", "/simulate/recalls", asked))["scheme_reference"])

    async def duplicate(self, scheme_reference: str, times: int = 1) -> None:
        """Send a credit or a return again, as it was. Raises ConsoleRefused."""
        await self._ask("POST", "/simulate/duplicates", {"scheme_reference": scheme_reference, "times": times})

    async def set_hours(self, *, open_now: bool | None) -> SchemeState:
        """Open or close the scheme until further notice; None: by its own hours."""
        return _state(await self._ask("POST", "/simulate/hours", {"open": open_now}))

    async def advance(self, by: timedelta, reference: str | None = None) -> SchemeState:
        """Let time go by, at all schemes of the region and for everybody. The same reference again changes nothing."""
        asked = {"advance_s": by.total_seconds(), "reference": reference}
        return _state(await self._ask("POST", "/simulate/time", asked))

    async def planned(self, after: str = "") -> Sequence[str]:
        """End-to-end ids of payments about which something is to happen later, whoever's: a page, in order, after that one."""
        return [str(one) for one in (await self._ask("GET", f"/planned?after={after}"))["end_to_end_ids"]]

    async def advance_for(self, end_to_end_ids: Sequence[str], by: timedelta, reference: str) -> SchemeState:
        """Let time go by for these payments of the rail alone. The same reference again changes nothing."""
        asked = {"advance_s": by.total_seconds(), "reference": reference, "end_to_end_ids": list(end_to_end_ids)}
        return _state(await self._ask("POST", "/simulate/time-of", asked))

    async def magic(self) -> Mapping[str, Any]:
        """The magic values: `currency`, `payments` (phrase, amount_minor, story) and `names` (phrase, story)."""
        return await self._ask("GET", "/magic")

    async def state(self) -> SchemeState:
        return _state(await self._ask("GET", "/state"))

    async def statement(self) -> Statement:
        return _made(Statement, await self._ask("GET", "/statement"))

    async def movements(self, day: date | None = None) -> Movements:
        """Of that day of the scheme's time, today's by default."""
        return _made(Movements, await self._ask("GET", "/movements" + _query(day)))

    async def day_statement(self, day: date | None = None) -> bytes:
        """The camt.053 of a day of the scheme's time, today's by default."""
        status, body = await self._send("GET", "/camt.053" + _query(day), b"")
        if status >= 400:
            raise ConsoleRefused("The scheme gave no statement of that day.")
        return body

    async def statement_page(self, first: date, page: int) -> bytes:
        """A page, from 1, of the camt.053 of all days of the scheme's time since `first`."""
        status, body = await self._send("GET", f"/camt.053?from={first.isoformat()}&page={page}", b"")
        if status >= 400:
            raise ConsoleRefused("The scheme gave no such page.")
        return body

    async def _ask(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        status, body = await self._send(method, path, b"" if content is None else orjson.dumps(content))
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise RailUnavailable("The sandbox scheme does not answer.") from error
        if not isinstance(found, dict):
            raise RailUnavailable(_SOMETHING_ELSE)
        if status >= 400:
            raise ConsoleRefused(str(found.get("detail", "")))
        return _Fields(found)

    async def _send(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        assert self._client is not None, "use it as an async context manager"
        headers = sign(self._connection.secret, body, utc_now())
        try:
            async with self._client.request(method, self._connection.url + path, data=body, headers=headers) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RailUnavailable("The sandbox scheme does not answer.") from error


def _query(day: date | None) -> str:
    return f"?day={day.isoformat()}" if day else ""


def _state(found: Mapping[str, Any]) -> SchemeState:
    return SchemeState(datetime.fromisoformat(found["now"]), found["hours"], found["open"])


def wallet_account(form: str, account_number: str) -> Account:
    """The account of a wallet as a payer would write it, from the wallet's account number. `form`:
    the rail profile's.
    """
    match form:
        case "iban":
            return Account("iban", account_number)
        case "uk":
            return Account("uk", account_number[6:], account_number[:6])
        case _:
            return Account("id", account_number)
