"""Whether the bank that holds an account knows it under a name: asked before money is asked to move.

Verification of Payee (EUR), Confirmation of Payee (GBP) and BI-FAST's account inquiry (IDR) answer one question, so there is one
protocol. Invariants: asking never fails, since a payment must not depend on it: what is late, silent, broken or unsigned is
`unavailable`. A registered name is told for `close` only: the schemes show the payer a near name, and never the holder of an
account that he named wrongly. Nothing here is kept.
"""

from dataclasses import dataclass, field
from typing import Annotated, Protocol

import aiohttp
import orjson
from pydantic import BaseModel, ValidationError

from cells.rails.accounts import account_fields
from cells.rails.connection import PARTICIPANT_HEADER, SchemeConnection, SchemeSignatureInvalid, sign, verify
from cells.rails.rail import Account, NameResult, utc_now
from cells.rails.registry import connection_to, profile_of
from cells.spec import CellSpec
from residency import i_json
from residency.classes import Confidential, Personal

_ANSWER_BYTES_MAX = 4_096


@dataclass(frozen=True, slots=True)
class NameAnswer:
    """`registered_name`: as the account is held, for `close` only."""

    result: Annotated[NameResult, Confidential]
    registered_name: Annotated[str | None, Personal] = field(default=None, repr=False)


UNAVAILABLE = NameAnswer("unavailable")


class NameCheck(Protocol):
    """A way to ask the scheme that an account's bank belongs to."""

    async def check(self, account: Account, name: str) -> NameAnswer:
        """What the bank says of the account and the name. Never raises for what the scheme does."""
        ...


class _Answered(BaseModel):
    result: Annotated[NameResult, Confidential]
    registered_name: Annotated[str | None, Personal] = None


class HttpNameCheck:
    """Asks the gateway of one rail. Waits `time_s` seconds, all told."""

    def __init__(self, connection: SchemeConnection, time_s: float) -> None:
        self._connection = connection
        self._time = aiohttp.ClientTimeout(total=time_s)

    async def check(self, account: Account, name: str) -> NameAnswer:
        body = orjson.dumps({"account": account_fields(account), "name": name})
        secret = self._connection.secret
        headers = sign(secret, body, utc_now()) | {PARTICIPANT_HEADER: self._connection.participant}
        try:
            async with (
                aiohttp.ClientSession(timeout=self._time) as client,
                client.post(f"{self._connection.url}/payee-check", data=body, headers=headers) as answer,
            ):
                if answer.status != 200:
                    return UNAVAILABLE
                told = await answer.content.read(_ANSWER_BYTES_MAX)
                verify(secret, answer.headers, told, utc_now())
            found = _Answered.model_validate(i_json.loads(told))
        except (aiohttp.ClientError, TimeoutError, OSError, SchemeSignatureInvalid, i_json.NotIJson, ValidationError):
            return UNAVAILABLE
        return NameAnswer(found.result, found.registered_name if found.result == "close" else None)


class NoNameCheck:
    """Where no scheme of the cell can be asked."""

    async def check(self, account: Account, name: str) -> NameAnswer:
        return UNAVAILABLE


def name_check_for(spec: CellSpec, currency: str) -> NameCheck:
    """How this cell asks about accounts in that currency: by the first of its rails whose scheme can be asked."""
    for rail in spec.entry.rails:
        profile, settings = profile_of(rail), spec.settings.schemes.get(rail)
        if settings is not None and profile.currency == currency and profile.checks_payee_name:
            connection = connection_to(rail, spec.entry.number, settings.url, settings.secret)
            return HttpNameCheck(connection, settings.name_check_time_s)
    return NoNameCheck()
