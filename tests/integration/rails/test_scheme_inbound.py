"""Money that arrives: the running simulator delivers to a listening cell gateway until it has an answer."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from cells.rails.connection import verify
from cells.rails.console import ConsoleRefused, SchemeConsole, wallet_account
from cells.rails.inbound import build_answer, read_inbound
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import Account, Collection, Party, Settled, utc_now
from cells.rails.registry import open_rail
from tests.support.schemes import RunningSchemes, payout, start_schemes, stop_schemes
from tests.support.waiting import until

PAYER = Party("Müller & Söhne GmbH", Account("iban", "DE89370400440532013000"), country="DE", town="Köln")
WALLETS = {"iban": "LT643999001123456789", "uk": "04990212345678", "id": "8899903123456789018"}


@dataclass
class Gateway:
    """A cell's inbound door with real verification, reading and answering. `failures`:
    how often it breaks first.
    """

    secret: bytes
    refusal: str | None = None
    failures: int = 0
    seen: list[Collection] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        verify(self.secret, request.headers, body, utc_now())
        if self.failures:
            self.failures -= 1
            return web.Response(status=503)
        rail = request.match_info["rail"]
        found = read_inbound(rail, body).credits
        self.seen += found
        refusals = {one.scheme_reference: self.refusal for one in found if self.refusal is not None}
        return web.Response(body=build_answer(rail, found, refusals), content_type="application/xml")


async def listening(gateway: Gateway, port: int) -> web.AppRunner:
    app = web.Application()
    app.router.add_post("/rails/{rail}/inbound", gateway.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


@pytest.fixture(params=sorted(rail_profiles()))
def rail(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def gateway(rail: str, schemes: RunningSchemes) -> AsyncIterator[Gateway]:
    found = Gateway(schemes.connection(rail).secret)
    runner = await listening(found, schemes.gateway_port)
    yield found
    await runner.cleanup()


@pytest.fixture
async def console(rail: str, schemes: RunningSchemes) -> AsyncIterator[SchemeConsole]:
    async with SchemeConsole(schemes.connection(rail)) as opened:
        yield opened


async def answered(console: SchemeConsole, reference: str, deliveries: int = 1) -> str:
    async def done() -> bool:
        return bool((await console.collection(reference))["deliveries"] >= deliveries)

    await until(done)
    return str((await console.collection(reference))["status"])


async def collect(console: SchemeConsole, rail: str, amount_minor: int = 500_000, **options: object) -> str:
    profile = rail_profiles()[rail]
    creditor = wallet_account(profile.account_form, WALLETS[profile.account_form])
    return await console.collect(amount_minor, profile.currency, creditor, PAYER, **options)  # type: ignore[arg-type]


async def test_a_credit_arrives_whole(rail: str, gateway: Gateway, console: SchemeConsole) -> None:
    before = await console.statement()
    reference = await collect(console, rail, remittance="Top-up 7")
    assert await answered(console, reference) == "accepted"
    [came] = gateway.seen
    assert (came.rail, came.scheme_reference) == (rail, reference)
    assert (came.amount_minor, came.currency) == (500_000, rail_profiles()[rail].currency)
    assert came.creditor_account.key == WALLETS[rail_profiles()[rail].account_form]
    assert (came.debtor.name, came.debtor.country, came.remittance) == (PAYER.name, "DE", "Top-up 7")
    assert came.debtor.account is not None
    assert came.debtor.account.number == "DE89370400440532013000"
    after = await console.statement()
    assert after.in_minor - before.in_minor == 500_000


async def test_a_refused_credit_moves_nothing(rail: str, gateway: Gateway, console: SchemeConsole) -> None:
    gateway.refusal = "AC01"
    before = await console.statement()
    reference = await collect(console, rail)
    assert await answered(console, reference) == "refused"
    assert (await console.collection(reference))["reason"] == "AC01"
    assert await console.statement() == before


async def test_delivery_goes_on_until_it_is_answered(rail: str, gateway: Gateway, console: SchemeConsole) -> None:
    gateway.failures = 2
    reference = await collect(console, rail)
    assert await answered(console, reference) == "accepted"
    assert len(gateway.seen) == 1


async def test_duplicates_on_demand_carry_the_same_reference(
    rail: str, gateway: Gateway, console: SchemeConsole
) -> None:
    before = await console.statement()
    reference = await collect(console, rail, deliveries=3)
    assert await answered(console, reference, deliveries=3) == "accepted"
    assert [one.scheme_reference for one in gateway.seen] == [reference] * 3
    assert (await console.statement()).in_minor - before.in_minor == 500_000


async def test_the_same_reference_again_is_the_same_credit(rail: str, gateway: Gateway, console: SchemeConsole) -> None:
    reference = await collect(console, rail)
    await answered(console, reference)
    assert await collect(console, rail, 999, scheme_reference=reference) == reference
    assert len(gateway.seen) == 1


async def test_the_console_refuses_another_currency(rail: str, console: SchemeConsole) -> None:
    other = "IDR" if rail_profiles()[rail].currency != "IDR" else "EUR"
    with pytest.raises(ConsoleRefused, match="moves"):
        await console.collect(5, other, Account("iban", WALLETS["iban"]), PAYER)
    with pytest.raises(ConsoleRefused):
        await console.collection("never-sent")


async def test_the_count_and_the_undelivered_survive_a_kill() -> None:
    running = start_schemes()
    try:
        rail = open_rail("bi_fast", running.connection("bi_fast"))
        paid, lost_answer = payout(rail.profile), payout(rail.profile, name="Sandbox Pending Settled")
        await rail.submit([paid, lost_answer])
        async with SchemeConsole(running.connection("bi_fast")) as console:
            reference = await collect(console, "bi_fast")
            running.restart()
            gateway = Gateway(running.connection("bi_fast").secret)
            runner = await listening(gateway, running.gateway_port)
            assert await answered(console, reference) == "accepted"
            assert (await console.payments(paid.end_to_end_id)).paid == 1
            statement = await console.statement()
            assert (statement.in_minor, statement.out_minor) == (500_000, 2 * paid.amount_minor)
        [again] = await rail.submit([paid])
        assert isinstance(again, Settled)
        await rail.close()
        await runner.cleanup()
    finally:
        stop_schemes(running)
