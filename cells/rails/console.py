"""The scheme simulator's console: make money arrive, ask what was paid, read the statement. Sandbox only.

A real scheme has no such door; its statements come as messages. Nothing on the path of a payment uses this.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

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
    """How often the scheme was asked for a payment, and how often it paid it."""

    asked: int
    paid: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One rail's money at the scheme, minor units: credits accepted, payments made."""

    rail: str
    currency: str
    in_minor: int
    out_minor: int

    @property
    def balance_minor(self) -> int:
        return self.in_minor - self.out_minor


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
    ) -> str:
        """Make a credit arrive; returns its scheme reference. The same reference again changes
        nothing.

        `deliveries`: how often the scheme sends the one message. Raises ConsoleRefused.
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
        found = await self._ask("GET", f"/payments/{end_to_end_id}")
        return Payments(int(found["asked"]), int(found["paid"]))

    async def statement(self) -> Statement:
        found = await self._ask("GET", "/statement")
        return Statement(found["rail"], found["currency"], int(found["in_minor"]), int(found["out_minor"]))

    async def _ask(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        assert self._client is not None, "use it as an async context manager"
        body = b"" if content is None else orjson.dumps(content)
        headers = sign(self._connection.secret, body, utc_now())
        try:
            async with self._client.request(method, self._connection.url + path, data=body, headers=headers) as answer:
                found = orjson.loads(await answer.read())
        except (aiohttp.ClientError, TimeoutError, OSError, orjson.JSONDecodeError) as error:
            raise RailUnavailable("The sandbox scheme does not answer.") from error
        if answer.status >= 400:
            raise ConsoleRefused(str(found.get("detail", "")))
        assert isinstance(found, dict)
        return found


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
