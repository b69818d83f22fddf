"""Recipients and payers registered, listed, opened and deleted on a real database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cells.backends.postgres import tenant_transaction, transaction
from cells.backends.vault import Vault
from cells.compliance.checker import Block, Clear, Review
from cells.compliance.magic import SCREENED_NAMES
from cells.parties import store_subjects
from cells.parties.models import Address, BankAccount, Payer, Recipient, RecipientNew
from cells.parties.payers import UnknownPayer, open_payers, payer_party
from cells.parties.recipients import WrongRegion, open_for_payout
from cells.parties.spelling import LettersUnwritable
from cells.parties.token import TokenCheck, TokenVerifier, UnknownRecipient
from cells.rails.accounts import AccountInvalid, IbanInvalid, NoRailForCurrency
from cells.rails.rail import Account
from residency.errors import KovraError
from tests.support.party_room import PartyRoom, indonesian, open_party_room, payer
from tests.support.servers import CellDatabase

Databases = Callable[[str], CellDatabase]


async def create(room: PartyRoom, *requests: RecipientNew) -> list[Recipient | KovraError]:
    async with tenant_transaction(room.api, room.tenant.tenant_id) as connection:
        return await room.recipients.create(connection, room.tenant.tenant_id, requests)


async def create_payers(room: PartyRoom, *names: str) -> list[Payer]:
    async with tenant_transaction(room.api, room.tenant.tenant_id) as connection:
        answers = await room.payers.create(connection, room.tenant.tenant_id, [payer(name) for name in names])
    assert not [one for one in answers if isinstance(one, KovraError)]
    return [one for one in answers if isinstance(one, Payer)]


def made(answer: Recipient | KovraError) -> Recipient:
    assert isinstance(answer, Recipient), answer
    return answer


def row_id(recipient: Recipient) -> str:
    return recipient.id.partition(".")[0]


async def test_a_recipient_is_registered_shown_and_opened_for_its_rail(cell_database: Databases) -> None:
    async with open_party_room(cell_database("ID"), "id-1") as room:
        recipient = made((await create(room, indonesian()))[0])
        assert (recipient.status, recipient.country, recipient.bank) == ("active", "ID", "014")
        async with tenant_transaction(room.api, room.tenant.tenant_id) as connection:
            shown = await room.recipients.get(connection, room.tenant.tenant_id, [row_id(recipient)])
            assert shown == [recipient]
            assert await room.recipients.page(connection, room.tenant.tenant_id) == [recipient]
            assert await room.recipients.page(connection, room.tenant.tenant_id, after=row_id(recipient)) == []
        async with transaction(room.writer) as connection:
            party = (await open_for_payout(connection, room.vault, [row_id(recipient)]))[row_id(recipient)]
        assert (party.name, party.account) == ("Budi Santoso Wibowo", Account("id", "1234567890", "014"))
        assert (party.street, party.building, party.town, party.postcode, party.country) == (
            "Jalan Melati",
            "7",
            "Bandung",
            "40115",
            "ID",
        )


async def test_one_refused_recipient_does_not_stop_the_others(cell_database: Databases) -> None:
    wrong_digit = RecipientNew(currency="EUR", name="Anna Lind", account=BankAccount(iban="DE89370400440532013001"))
    right = RecipientNew(currency="EUR", name="Anna Lind", account=BankAccount(iban="DE89 3704 0044 0532 0130 00"))
    no_form = RecipientNew(
        currency="EUR", name="Anna Lind", account=BankAccount(sort_code="040004", account_number="12345678")
    )
    dollars = RecipientNew(currency="USD", name="Anna Lind", account=BankAccount(account_number="12345678"))
    async with open_party_room(cell_database("EU"), "eu-1") as room:
        answers = await create(room, wrong_digit, right, indonesian(), no_form, dollars)
        assert isinstance(answers[0], IbanInvalid)
        assert answers[0].pointer == "/account/iban"
        assert made(answers[1]).country == "DE"
        assert isinstance(answers[2], WrongRegion)
        assert (answers[2].status, answers[2].extra) == (421, {"region": "ID"})
        assert isinstance(answers[3], AccountInvalid)
        assert isinstance(answers[4], NoRailForCurrency)
        async with transaction(room.writer) as connection:
            assert await connection.fetchval("select count(*) from subjects") == 1


async def test_the_token_of_a_new_recipient_pays_it_for_its_tenant_only(cell_database: Databases) -> None:
    async with open_party_room(cell_database("ID"), "id-1") as room:
        token = made((await create(room, indonesian()))[0]).id
        verifier = TokenVerifier(room.directory)
        good, foreign = verifier.verify(
            [
                TokenCheck(token, room.tenant.tenant_id, "IDR"),
                TokenCheck(token, room.stranger.tenant_id, "IDR"),
            ]
        )
        assert not isinstance(good, KovraError)
        assert (good.cell, good.currency, good.row_id) == ("id-1", "IDR", token.partition(".")[0])
        assert isinstance(foreign, UnknownRecipient)


async def test_another_tenants_recipient_and_payer_are_unknown(cell_database: Databases) -> None:
    async with open_party_room(cell_database("ID"), "id-1") as room:
        recipient = row_id(made((await create(room, indonesian()))[0]))
        [mine] = await create_payers(room, "Annika Lindqvist")
        stranger = room.stranger.tenant_id
        async with tenant_transaction(room.api, stranger) as connection:
            assert await room.recipients.get(connection, stranger, [recipient]) == []
            assert await room.payers.get(connection, stranger, [mine.id]) == []
            assert await room.recipients.delete(connection, stranger, [recipient], {}) == []
        async with transaction(room.writer) as connection:
            # The writer's role sees every tenant, so here the tenant is the function's own to check, also when
            # one batch holds the owner and the stranger.
            owner = room.tenant.tenant_id
            recipients = await room.recipients.standing(connection, [(stranger, recipient), (owner, recipient)])
            assert isinstance(recipients[stranger, recipient], UnknownRecipient)
            assert isinstance(recipients[owner, recipient], Clear)
            pairs = [(stranger, mine.id), (owner, mine.id), (owner, "pyr_none")]
            payers = await room.payers.standing(connection, pairs)
            assert [type(payers[pair]) for pair in pairs] == [UnknownPayer, Clear, UnknownPayer]


async def test_screening_decides_the_status_and_never_shows_the_entry(cell_database: Databases) -> None:
    async with open_party_room(cell_database("ID"), "id-1") as room:
        _, business, _ = SCREENED_NAMES
        asked = [
            indonesian("Budi Santoso"),
            # A name alone, be it the very one that is listed, is for a person to look at.
            indonesian("Kovra Sandbox Blocked"),
            indonesian(business.name, kind="business"),
            indonesian(business.name, kind="business", lei=business.lei),
        ]
        recipients = [made(one) for one in await create(room, *asked)]
        assert [one.status for one in recipients] == ["active", "in_review", "in_review", "blocked"]
        assert not any("DTTOT" in one.model_dump_json() or "SYN" in one.model_dump_json() for one in recipients)
        ids = [row_id(one) for one in recipients]
        async with transaction(room.writer) as connection:
            pairs = [(room.tenant.tenant_id, one) for one in ids]
            verdicts = await room.recipients.standing(connection, pairs)
            assert [type(verdicts[pair]) for pair in pairs] == [Clear, Review, Review, Block]
            entries = await connection.fetch("select entry_reference from screenings where entry_reference is not null")
            assert len(entries) == 3
        async with tenant_transaction(room.api, room.tenant.tenant_id) as connection:
            shown = await room.recipients.get(connection, room.tenant.tenant_id, ids)
            assert {one.id: one.status for one in shown} == {one.id: one.status for one in recipients}


async def test_a_deleted_recipient_is_erased_unless_the_law_keeps_it(cell_database: Databases) -> None:
    async with open_party_room(cell_database("ID"), "id-1") as room:
        recipients = [made(one) for one in await create(room, indonesian("Budi Santoso"), indonesian("Siti Rahma"))]
        unused, used = (row_id(one) for one in recipients)
        tenant_id = room.tenant.tenant_id
        until = datetime.now(UTC) + timedelta(days=1826)
        async with tenant_transaction(room.api, tenant_id) as connection:
            assert set(await room.recipients.delete(connection, tenant_id, [unused, used], {used: until})) == {
                unused,
                used,
            }
            assert await room.recipients.delete(connection, tenant_id, [unused], {}) == []
        async with transaction(room.writer) as connection:
            assert set(await store_subjects.open_subjects(connection, room.vault, [unused, used])) == {used}
            assert await open_for_payout(connection, room.vault, [unused, used]) == {}
            assert await store_subjects.due_for_erasure(connection, room.region, ()) == []
            await connection.execute("update subjects set erase_after = now() where subject_id = $1", used)
            assert await store_subjects.due_for_erasure(connection, room.region, (used,)) == []
            due = await store_subjects.due_for_erasure(connection, room.region, ())
            assert await store_subjects.erase(connection, room.region, due) == [used]
            assert await store_subjects.open_subjects(connection, room.vault, [used]) == {}
        async with tenant_transaction(room.api, tenant_id) as connection:
            shown = await room.recipients.get(connection, tenant_id, [unused, used])
            assert [(one.status, one.details) for one in shown] == [("deleted", None)] * 2
            assert await room.recipients.page(connection, tenant_id) == []


async def test_payers_are_opened_in_a_batch_for_sealing(cell_database: Databases) -> None:
    async with open_party_room(cell_database("EU"), "eu-1") as room:
        payers = await create_payers(room, "Annika Lindqvist", "Matteo Ricciardi")
        async with transaction(room.writer) as connection:
            opened = await open_payers(connection, room.vault, [one.id for one in payers])
        assert [opened[one.id].name for one in payers] == ["Annika Lindqvist", "Matteo Ricciardi"]
        assert opened[payers[0].id].customer_number == "C-10077"
        party = payer_party(opened[payers[1].id], Account("iban", "DE89370400440532013000"))
        assert (party.name, party.street, party.building, party.town, party.country) == (
            "Matteo Ricciardi",
            "Hauptallee",
            "12",
            "Wien",
            "AT",
        )


async def test_payers_and_recipients_are_not_taken_for_each_other(cell_database: Databases) -> None:
    async with open_party_room(cell_database("ID"), "id-1") as room:
        recipient = row_id(made((await create(room, indonesian()))[0]))
        [one] = await create_payers(room, "Annika Lindqvist")
        async with transaction(room.writer) as connection:
            assert await open_payers(connection, room.vault, [recipient]) == {}
            assert await open_for_payout(connection, room.vault, [one.id]) == {}


async def test_a_vault_of_another_region_opens_nothing(cell_database: Databases) -> None:
    async with open_party_room(cell_database("ID"), "id-1") as room:
        recipient = row_id(made((await create(room, indonesian()))[0]))
        elsewhere = Vault("EU", room.keks, room.vault.current_kid)
        async with transaction(room.writer) as connection:
            assert await open_for_payout(connection, elsewhere, [recipient]) == {}


async def test_a_name_that_no_scheme_can_write_is_refused_and_stops_nobody_else(cell_database: Databases) -> None:
    async with open_party_room(cell_database("ID"), "id-1") as room:
        home = Address(street="Jalan Melati", town="東京", country="JP")
        lost, good, elsewhere = await create(
            room, indonesian("李 3"), indonesian("Ŧuomas Əliyev"), indonesian().model_copy(update={"address": home})
        )
        assert isinstance(lost, LettersUnwritable)
        assert (lost.pointer, lost.extra["places"]) == ("/name", [1])
        assert "Latin letters" in lost.detail
        assert "李" not in lost.detail
        assert made(good).details is not None
        assert isinstance(elsewhere, LettersUnwritable)
        assert elsewhere.pointer == "/address/town"
        async with tenant_transaction(room.api, room.tenant.tenant_id) as connection:
            first, second = await room.payers.create(
                connection, room.tenant.tenant_id, [payer("محمد"), payer("Ýrr Þórðardóttir")]
            )
            assert isinstance(first, LettersUnwritable)
            assert isinstance(second, Payer)
            assert [one.id for one in await room.payers.page(connection, room.tenant.tenant_id)] == [second.id]
