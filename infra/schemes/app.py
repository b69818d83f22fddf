"""The schemes of one region as an HTTP server. All but /healthz is authenticated by HMAC.

POST /{rail}/pacs.008                  payments in, a pacs.002 out (or silence, when the script says so)
POST /{rail}/pacs.028                  inquiries in, a pacs.002 out
POST /{rail}/pacs.004                  what the participant gives back, a pacs.002 out
POST /{rail}/camt.056                  recalls in; their answers come by messages of their own
POST /{rail}/camt.029                  the participant's answers to recalls of credits
POST /{rail}/payee-check               whether an account is held under a name, in JSON (see payee_check.py)
GET  /{rail}/camt.053                  the statement of a day, ?day=2026-11-21, of today without one; from another day on, a page
                                       of it: ?from=2026-11-01&page=2
What the commands of the sandbox use, in JSON (see simulate.py):
POST /{rail}/v1.0/…                    payments and inquiries by SNAP, where the rail is so set up (see snap.py)
POST /{rail}/simulate/collections      make money arrive
POST /{rail}/simulate/returns          have a payment returned
POST /{rail}/simulate/recalls          have a credit recalled
POST /{rail}/simulate/decisions        settle or reject what is not decided, or was lost
POST /{rail}/simulate/duplicates       send a credit or a return again
POST /{rail}/simulate/hours            open, close, or keep the scheme's own hours
POST /{rail}/simulate/time             let time go by
POST /{rail}/simulate/time-of          let time go by for some payments alone
GET  /{rail}/planned                   the payments about which something is planned for later: a thousand, ?after= the last of those before
GET  /{rail}/state                     the time there, and whether it is open
GET  /{rail}/magic                     the magic values of its payments and name checks
GET  /{rail}/collections/{reference}   what became of a credit; of a return under /returns/
GET  /{rail}/payments/{end_to_end_id}  how many times it was asked, and how many times paid
GET  /{rail}/statement                 money in, money out
GET  /{rail}/movements                 the movements of a day, ?day= as above
GET  /healthz
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.schemes.bank import SchemeBank
from infra.schemes.clock import SchemeClock
from infra.schemes.config import SchemeConfig
from infra.schemes.courier import Courier
from infra.schemes.messages import Status, Unreadable, group_refusal, read_payment, read_request, report
from infra.schemes.messages_returns import read_recalls, read_resolutions, read_returns
from infra.schemes.payee_check import answer_to
from infra.schemes.problems import problem, silence
from infra.schemes.returns import SchemeReturns
from infra.schemes.rules import SCHEMES
from infra.schemes.signing import is_signed, signed_headers
from infra.schemes.simulate import NotThat, Simulation, read_day, read_page
from infra.schemes.snap import SnapDoor
from infra.schemes.statements import Page, statement
from infra.schemes.store import Plan, SchemeStore
from infra.schemes.store_notices import NoticeStore

_BODY_BYTES_MAX = 2_000_000
# Entries on a page of a statement: some 700 bytes each.
_PAGE = 1_000
Handler = Callable[[str, Request, bytes], Awaitable[Response]]


def create_app(cell: str, config: SchemeConfig, count_file: Path) -> Starlette:
    """The server for the rails of `config`; what happened is kept in `count_file`."""
    schemes = _Schemes(cell, config, count_file)
    asked = schemes.simulation
    doors: dict[str, tuple[str, Handler]] = {
        "/pacs.008": ("POST", schemes.pay),
        "/pacs.028": ("POST", schemes.inquire),
        "/pacs.004": ("POST", schemes.take_back),
        "/camt.056": ("POST", schemes.recall),
        "/camt.029": ("POST", schemes.resolve),
        "/camt.053": ("GET", schemes.statement),
        "/payee-check": ("POST", schemes.check_payee),
        "/simulate/collections": ("POST", asked.collect),
        "/simulate/returns": ("POST", asked.give_back),
        "/simulate/recalls": ("POST", asked.recall),
        "/simulate/decisions": ("POST", asked.decide),
        "/simulate/duplicates": ("POST", asked.duplicate),
        "/simulate/hours": ("POST", asked.set_hours),
        "/simulate/time": ("POST", asked.advance),
        "/simulate/time-of": ("POST", asked.advance_for),
        "/planned": ("GET", asked.planned),
        "/state": ("GET", asked.state),
        "/magic": ("GET", asked.magic),
        "/collections/{reference}": ("GET", asked.sent),
        "/returns/{reference}": ("GET", asked.sent),
        "/payments/{end_to_end_id}": ("GET", asked.payments),
        "/statement": ("GET", asked.totals),
        "/movements": ("GET", asked.movements),
    }
    routes = [
        Route("/{rail}" + path, schemes.guarded(handler), methods=[method]) for path, (method, handler) in doors.items()
    ]
    routes += SnapDoor(schemes.bank, schemes.tell, config.rails).routes()
    return Starlette(routes=[Route("/healthz", schemes.healthz), *routes], lifespan=schemes.lifespan)


class _Schemes:
    def __init__(self, cell: str, config: SchemeConfig, count_file: Path) -> None:
        self._cell = cell
        self._gateway = config.cell.api
        self._banks = {rail: one.snap for rail, one in config.rails.items() if one.snap and one.snap.notice_key}
        self._secrets = {rail: settings.secret.encode() for rail, settings in config.rails.items()}
        self._store = SchemeStore(count_file)
        self._notices = NoticeStore(self._store, self._secrets)
        self._clock = SchemeClock(self._store)
        self.bank = SchemeBank(self._store, self._notices, self._clock)
        self._returns = SchemeReturns(self._store, self._notices, self._clock)
        self._courier: Courier | None = None
        self.simulation = Simulation(
            self._store, self._notices, self._clock, self.bank, self._returns, self._open_courier, self._banks
        )

    @asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self._courier = Courier(
            self._store,
            self._notices,
            self._clock,
            self._gateway,
            self._secrets,
            self._banks,
            self._cell,
            self._carry_out,
        )
        try:
            yield
        finally:
            await self._courier.close()
            self._store.close()

    def _open_courier(self) -> Courier:
        assert self._courier is not None, "requests are served within the lifespan"
        return self._courier

    def tell(self) -> None:
        """Have what was added to the notices sent."""
        if self._notices.added:
            self._open_courier().wake()

    def _carry_out(self, plan: Plan) -> None:
        (self._returns if plan.what == "return" else self.bank).carry_out(plan)

    def guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def checked(request: Request) -> Response:
            rail = request.path_params["rail"]
            secret = self._secrets.get(rail)
            if secret is None:
                return problem(404, "No such rail here", f"Use one of {', '.join(self._secrets)}.")
            body = await request.body()
            if len(body) > _BODY_BYTES_MAX:
                return problem(413, "Too large", f"At most {_BODY_BYTES_MAX} bytes.")
            if not is_signed(secret, request.headers, body):
                return problem(401, "Not signed", "Sign the body with the connection's secret.")
            try:
                return await handler(rail, request, body)
            except Unreadable as error:
                return problem(400, "Unreadable", f"This is not the message that is expected here: {error}.")
            except NotThat as error:
                return problem(422, "Not understood", f"Look at: {error}.")

        return checked

    async def healthz(self, _: Request) -> Response:
        return JSONResponse({"cell": self._cell, "rails": list(self._secrets), "status": "ok"})

    async def pay(self, rail: str, request: Request, body: bytes) -> Response:
        message_id, count, orders = read_payment(body)
        if count != str(len(orders)) or not 0 < len(orders) <= SCHEMES[rail].transactions_max:
            return self._signed(rail, group_refusal(message_id, "FF01"))
        return await self._answer(rail, request, self.bank.pay(rail, orders, message_id), message_id)

    async def inquire(self, rail: str, request: Request, body: bytes) -> Response:
        message_id, asked = read_request(body)
        statuses = self.bank.inquire(rail, asked)
        if any(one.level == "inquiry" for one in statuses):
            return self._signed(rail, group_refusal(message_id, "FF01", "pacs.028.001.03"))
        return await self._answer(rail, request, statuses)

    async def take_back(self, rail: str, _: Request, body: bytes) -> Response:
        message_id, count, returns = read_returns(body)
        if count != str(len(returns)) or not returns:
            return self._signed(rail, group_refusal(message_id, "FF01", "pacs.004"))
        return self._signed(rail, report(self._returns.take(rail, returns), message_id, "pacs.004.001.09"))

    async def recall(self, rail: str, _: Request, body: bytes) -> Response:
        recalls = read_recalls(body)
        if not recalls or not all(one.recall_id for one in recalls):
            return problem(422, "Not a recall", "Each transaction needs a CxlId.")
        self._returns.recall(rail, recalls)
        self._open_courier().wake()
        return Response(status_code=202, headers=signed_headers(self._secrets[rail], b""))

    async def resolve(self, rail: str, _: Request, body: bytes) -> Response:
        self._returns.resolve(rail, read_resolutions(body))
        return Response(status_code=202, headers=signed_headers(self._secrets[rail], b""))

    async def statement(self, rail: str, request: Request, _: bytes) -> Response:
        day, currency = read_day(request, self._clock, rail), SCHEMES[rail].currency
        if "from" not in request.query_params:
            coming, going = self._store.totals(rail, day)
            entries = self._store.entries(rail, day)
            return self._signed(rail, statement(self._cell, currency, day, coming - going, entries))
        first, number = read_day(request, self._clock, rail, "from"), read_page(request)
        coming, going = self._store.totals(rail, first)
        moved, entries = self._store.page(rail, (first, day), (number - 1) * _PAGE, _PAGE + 1)
        page = Page(first, number, last=len(entries) <= _PAGE)
        opening = coming - going + moved
        return self._signed(rail, statement(self._cell, currency, day, opening, entries[:_PAGE], page))

    async def check_payee(self, rail: str, request: Request, body: bytes) -> Response:
        answer = answer_to(body)
        if answer is None:
            return await silence(request)
        headers = signed_headers(self._secrets[rail], answer)
        return Response(answer, media_type="application/json", headers=headers)

    async def _answer(self, rail: str, request: Request, statuses: list[Status], message_id: str = "") -> Response:
        """`message_id`: of the payment message that is answered."""
        self.tell()
        if statuses:
            return self._signed(rail, report(statuses, message_id))
        return await silence(request)

    def _signed(self, rail: str, body: bytes) -> Response:
        headers = signed_headers(self._secrets[rail], body)
        return Response(body, media_type="application/xml", headers=headers)
