"""The bench's partner: a tenant of the benchmark tier with wallets, a recipient, a payer, money, and quotes by the thousand."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import orjson

from actors.runtime import ActorUnavailable
from actors.wallets import Wallets
from cells.backends.postgres import tenant_transaction, transaction
from cells.cell import Institution
from cells.credits.credit import Deposit
from cells.fx.ecb import EcbHistory
from cells.fx.pricing import price
from cells.fx.quotes import NewQuote
from cells.fx.store import lock_quotes
from cells.journal.entry import Author
from cells.kit.command import Command
from cells.parties.models import Address, BankAccount, Document, PayerNew, RecipientNew
from cells.payments.acceptance import Acceptance
from cells.tenants.keys import SCOPES, mint_key
from cells.tenants.tenant import ApiKey, Tenant, mint_tenant
from residency.ids import mint
from router.cli.provisioning import provision
from tests.bench.client import Job, carry_out, request
from tests.support.tariffs import founded
from tests.support.waiting import until

_QUOTES_AT_ONCE = 2_000
# Far beyond any run, so that no quote expires while it waits its turn.
_QUOTE_LIFETIME_S = 86_400.0
_MONEY_MINOR = 5_000_000_000_00


@dataclass(slots=True)
class Partner:
    """One tenant at one origin cell. `quotes` are handed out once each."""

    tenant: Tenant
    key: str
    wallet_id: str
    recipient_id: str
    payer_id: str
    quotes: list[str] = field(default_factory=list)

    def acceptance(self, cell: str) -> Command:
        """The command that the API would make of a request."""
        transfer_id = mint("tr", cell)
        body = Acceptance(
            transfer_id,
            self.tenant.tenant_id,
            self.quotes.pop(),
            self.recipient_id,
            self.payer_id,
            transfer_id,
            b"x" * 32,
            Author(self.key.partition(".")[0], transfer_id),
        )
        return Command(f"{transfer_id}:accept", self.wallet_id, "accept", body)

    def payment(self) -> bytes:
        """A whole POST /v1/transfers."""
        body = orjson.dumps({
            "quote_id": self.quotes.pop(), "recipient_id": self.recipient_id, "payer_id": self.payer_id,
            "reference": "Invoice 4711",
        })  # fmt: skip
        return request(
            "POST", "/v1/transfers", body, authorization=f"Bearer {self.key}", idempotency_key=str(uuid4()),
            content_type="application/json",
        )  # fmt: skip


async def new_partner(home: Path, origin: Institution, destination: Institution, wallets: Wallets) -> Partner:
    """A tenant that can pay from EUR to IDR. The institutions have the API's role."""
    entry = origin.spec.entry
    tenant = mint_tenant("Bench", entry, tier="benchmark")
    key = mint_key(entry.name, tenant.environment)
    row = ApiKey(key.key_id, tenant.tenant_id, key.secret_sha256, SCOPES, "bench")
    provisioned = await provision(home, tenant, keys=[row], actor="system:bench", action="tenants.create")
    async with tenant_transaction(destination.pool, tenant.tenant_id) as connection:
        account = BankAccount(bank_code="014", account_number="1234567890")
        wanted = RecipientNew(currency="IDR", name="Budi Santoso", account=account)
        [recipient] = await destination.recipients.create(connection, tenant.tenant_id, [wanted])
    async with tenant_transaction(origin.pool, tenant.tenant_id) as connection:
        address = Address(street="Storgatan", town="Lund", country="SE", post_code="22350")
        document = Document(type="passport", number="P1", country="SE")
        person = PayerNew(name="Astrid Lind", address=address, customer_number="C1", document=document)
        [payer] = await origin.payers.create(connection, tenant.tenant_id, [person])
    wallet_id = provisioned.wallets["EUR"]
    deposit = Deposit(mint("col", entry.name), tenant.tenant_id, wallet_id, "sepa_instant", _MONEY_MINOR, "EUR")
    command = Command(f"d:{deposit.collection_id}", wallet_id, "deposit", deposit)
    await until(lambda: _taken(wallets, command), timeout_s=120)
    return Partner(tenant, key.text, wallet_id, recipient.id, payer.id)


async def _taken(wallets: Wallets, command: Command) -> bool:
    """Whether the wallet has it now: the actors may still be starting, and the same id may be asked again."""
    try:
        await wallets.ask(command)
    except ActorUnavailable:
        return False
    return True


async def lock_in(partner: Partner, origin: Institution, count: int) -> None:
    """Quotes for `count` payments of some ten euro each."""
    entry, tenant_id = origin.spec.entry, partner.tenant.tenant_id
    rate = EcbHistory().latest().rate("EUR", "IDR")
    fee = founded("EUR", "IDR", "bi_fast")
    amounts = itertools.cycle(range(10_00, 12_00))
    for start in range(0, count, _QUOTES_AT_ONCE):
        new = [
            NewQuote(mint("qt", entry.name), tenant_id, "bi_fast", price(rate, "source", next(amounts), 80, fee))
            for _ in range(min(_QUOTES_AT_ONCE, count - start))
        ]
        async with tenant_transaction(origin.pool, tenant_id) as connection:
            locked = await lock_quotes(connection, entry.region, new, lifetime_s=_QUOTE_LIFETIME_S)
        partner.quotes += [one.quote_id for one in locked]


async def lock_in_by_api(partner: Partner, listen: tuple[str, int], count: int) -> None:
    """The same, asked of the API one by one as a partner does: it then knows their wallets."""
    body = orjson.dumps({"source": {"value": "10.00", "currency": "EUR"}, "target_currency": "IDR"})
    one = request("POST", "/v1/quotes", body, authorization=f"Bearer {partner.key}", content_type="application/json")
    result = await carry_out(Job(*listen, [one] * count, 128, keep=True))
    answers = [orjson.loads(answer.partition(b"\r\n\r\n")[2]) for answer in result.answers]
    assert set(result.statuses) == {201}, result.samples
    partner.quotes += [one["id"] for one in answers]


async def states(writer: Institution, transfer_ids: list[str]) -> dict[str, int]:
    """How many of these transfers are in each state."""
    async with transaction(writer.pool) as connection:
        rows = await connection.fetch(
            "select state, count(*) as number from transfers where compliance_region = $1"
            " and transfer_id = any ($2::text[]) group by 1",
            writer.spec.region, transfer_ids,
        )  # fmt: skip
    return {row["state"]: row["number"] for row in rows}
