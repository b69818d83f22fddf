"""The schemes of one region as an HTTP server. All but /healthz is authenticated by HMAC.

POST /{rail}/pacs.008                  payments in, a pacs.002 out (or silence, when the script says so)
POST /{rail}/pacs.028                  inquiries in, a pacs.002 out
POST /{rail}/simulate/collections      make money arrive (JSON, see credits.SimulatedCredit)
GET  /{rail}/collections/{reference}   what became of it
GET  /{rail}/payments/{end_to_end_id}  how many times it was asked, and how many times paid
GET  /{rail}/statement                 money in, money out
GET  /healthz
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.schemes.bank import SchemeBank
from infra.schemes.config import SchemeConfig
from infra.schemes.credits import Courier, SimulatedCredit
from infra.schemes.messages import Status, Unreadable, group_refusal, read_payment, read_request, report
from infra.schemes.rules import SCHEMES
from infra.schemes.signing import is_signed, signed_headers
from infra.schemes.store import Credit, SchemeStore

_BODY_BYTES_MAX = 2_000_000
_SILENCE_S = 60.0
_SILENCE_STEP_S = 0.1
Handler = Callable[[str, Request, bytes], Awaitable[Response]]


def create_app(cell: str, config: SchemeConfig, count_file: Path) -> Starlette:
    """The server for the rails of `config`; what happened is kept in `count_file`."""
    schemes = _Schemes(cell, config, count_file)
    guarded = schemes.guarded
    return Starlette(
        routes=[
            Route("/healthz", schemes.healthz),
            Route("/{rail}/pacs.008", guarded(schemes.pay), methods=["POST"]),
            Route("/{rail}/pacs.028", guarded(schemes.inquire), methods=["POST"]),
            Route("/{rail}/simulate/collections", guarded(schemes.simulate), methods=["POST"]),
            Route("/{rail}/collections/{reference}", guarded(schemes.credit)),
            Route("/{rail}/payments/{end_to_end_id}", guarded(schemes.payment)),
            Route("/{rail}/statement", guarded(schemes.statement)),
        ],
        lifespan=schemes.lifespan,
    )


class _Schemes:
    def __init__(self, cell: str, config: SchemeConfig, count_file: Path) -> None:
        self._cell = cell
        self._gateway = config.cell.api
        self._secrets = {rail: settings.secret.encode() for rail, settings in config.rails.items()}
        self._store = SchemeStore(count_file)
        self._bank = SchemeBank(self._store)
        self._courier: Courier | None = None

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self._courier = Courier(self._store, self._gateway, self._secrets)
        self._courier.resume()
        try:
            yield
        finally:
            await self._courier.close()
            self._store.close()

    def guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def checked(request: Request) -> Response:
            rail = request.path_params["rail"]
            secret = self._secrets.get(rail)
            if secret is None:
                return _problem(404, "No such rail here", f"Use one of {', '.join(self._secrets)}.")
            body = await request.body()
            if len(body) > _BODY_BYTES_MAX:
                return _problem(413, "Too large", f"At most {_BODY_BYTES_MAX} bytes.")
            if not is_signed(secret, request.headers, body):
                return _problem(401, "Not signed", "Sign the body with the connection's secret.")
            return await handler(rail, request, body)

        return checked

    async def healthz(self, _: Request) -> Response:
        return JSONResponse({"cell": self._cell, "rails": list(self._secrets), "status": "ok"})

    async def pay(self, rail: str, request: Request, body: bytes) -> Response:
        try:
            message_id, count, orders = read_payment(body)
        except Unreadable as error:
            return _problem(400, "Unreadable", f"This is no pacs.008.001.08: {error}.")
        if count != str(len(orders)) or not 0 < len(orders) <= SCHEMES[rail].transactions_max:
            return self._signed(rail, group_refusal(message_id, "FF01"))
        return await self._answer(rail, request, self._bank.pay(rail, orders))

    async def inquire(self, rail: str, request: Request, body: bytes) -> Response:
        try:
            asked = read_request(body)
        except Unreadable as error:
            return _problem(400, "Unreadable", f"This is no pacs.028.001.03: {error}.")
        return await self._answer(rail, request, self._bank.inquire(rail, asked))

    async def _answer(self, rail: str, request: Request, statuses: list[Status]) -> Response:
        if statuses:
            return self._signed(rail, report(statuses))
        # Silence: until whoever asked gives up, and not for ever.
        waited_s = 0.0
        while waited_s < _SILENCE_S and not await request.is_disconnected():
            await asyncio.sleep(_SILENCE_STEP_S)
            waited_s += _SILENCE_STEP_S
        return _problem(504, "Silence", "The scheme gave no answer.")

    async def simulate(self, rail: str, _: Request, body: bytes) -> Response:
        assert self._courier is not None, "requests are served within the lifespan"
        try:
            asked = SimulatedCredit.model_validate_json(body)
        except ValidationError as error:
            where = ", ".join(".".join(map(str, one["loc"])) for one in error.errors(include_input=False))
            return _problem(422, "Not a collection", f"Look at: {where or 'the body'}.")
        if SCHEMES[rail].currency != asked.currency:
            return _problem(422, "Another currency", f"{rail} moves {SCHEMES[rail].currency}.")
        return JSONResponse(_credit(self._courier.take(rail, asked)), 202)

    async def credit(self, rail: str, request: Request, _: bytes) -> Response:
        found = self._store.credit(rail, request.path_params["reference"])
        if found is None:
            return _problem(404, "No such collection", "The scheme sent none under that reference.")
        return JSONResponse(_credit(found))

    async def payment(self, rail: str, request: Request, _: bytes) -> Response:
        end_to_end_id = request.path_params["end_to_end_id"]
        found = self._store.payments_of(rail, end_to_end_id)
        return JSONResponse(
            {
                "end_to_end_id": end_to_end_id,
                "asked": sum(one.asked for one in found),
                "paid": sum(one.paid for one in found),
                "payments": [
                    {key: value for key, value in asdict(one).items() if key != "fingerprint"} for one in found
                ],
            }
        )

    async def statement(self, rail: str, _request: Request, _body: bytes) -> Response:
        coming, going = self._store.statement(rail)
        return JSONResponse(
            {
                "rail": rail,
                "currency": SCHEMES[rail].currency,
                "in_minor": coming,
                "out_minor": going,
                "balance_minor": coming - going,
            }
        )

    def _signed(self, rail: str, body: bytes) -> Response:
        headers = signed_headers(self._secrets[rail], body)
        return Response(body, media_type="application/xml", headers=headers)


def _credit(one: Credit) -> dict[str, object]:
    """What is told of a credit: all but its body."""
    return {
        "scheme_reference": one.reference,
        "rail": one.rail,
        "status": one.status,
        "reason": one.reason,
        "amount_minor": one.amount_minor,
        "currency": one.currency,
        "deliveries": one.deliveries,
        "deliveries_wanted": one.deliveries_wanted,
    }


def _problem(status: int, title: str, detail: str) -> Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")
