"""Money at the door: inbound credits matched to wallets and put on record, in one transaction, before the scheme is answered.

Invariants: a scheme reference is on record once, and a duplicate is answered as the first was; a credit that carries a known
reference but says something else is refused, and changes nothing; who paid lies in the vault, sealed under the
collection's id; money for nobody is refused, and nothing is kept of who sent it, unless the scheme has settled it before it asks
us (`unmatched` in its profile): then it is the house's own tenant's, and rests in suspense; a settlement date that cannot be is refused
by every rail, for what it speaks of has not settled; a credit that settles on a later day is on record, and told, and booked on that day. A credit is for the wallet whose account
number it carries, else for the one wallet that its remittance text names by its id.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict

from cells.backends.postgres import Connection
from cells.backends.vault import SubjectRef, Vault
from cells.journal.entry import component
from cells.parties import store_subjects
from cells.parties.store_subjects import SealedSubject
from cells.payments.transfer import PEER_TENANT_PREFIX
from cells.rails import registry, store_collections
from cells.rails.rail import Collection, utc_now
from cells.rails.store_collections import CollectionRow
from cells.tenants import store as tenants
from cells.tenants.tenant import NewWallet, Wallet
from residency.classes import Confidential, Personal
from residency.directory import CellEntry
from residency.ids import mint
from residency.rules import rules_of

KIND = "debtor"
# As written in the API, or as a scheme's character set has it: SEPA's knows no underscore.
_WALLET = re.compile(r"\bwal[-_][a-z]{2}[0-9]{1,4}[-_][0-9a-v]{26}\b")
# ISO 20022 ExternalStatusReason1Code: account unknown, closed, blocked; a known reference with another content.
_UNKNOWN, _CLOSED, _DUPLICATE = "AC01", "AC04", "AM05"


class Debtor(BaseModel):
    """Who sent money, as the vault keeps it: the law has the payee's side keep what came (Regulation (EU) 2023/1113 Art. 16)."""

    model_config = ConfigDict(frozen=True)
    name: Annotated[str, Personal]
    account_number: Annotated[str, Personal]
    bank: Annotated[str, Confidential]
    country: Annotated[str, Confidential]
    town: Annotated[str, Personal]
    street: Annotated[str, Personal]
    postcode: Annotated[str, Personal]
    remittance: Annotated[str, Personal]


class Reception(NamedTuple):
    """`rows`: what the record holds of each credit, in order; `refusals`: ISO reason codes by scheme reference."""

    rows: list[CollectionRow]
    refusals: dict[str, str]

    @property
    def open(self) -> list[CollectionRow]:
        """Those that a wallet's actor has to book now; what settles on a later day is booked then."""
        now = utc_now()
        return [row for row in self.rows if row.is_due(now)]


async def receive(
    connection: Connection, entry: CellEntry, vault: Vault, came: Sequence[Collection], message: bytes
) -> Reception:
    """Put the credits of one message on record and decide the answer to each. The writer's connection; never commits."""
    accounts = [one.creditor_account.key for one in came]
    wallets = await tenants.find_wallets_by_account(connection, entry.region, accounts)
    referenced = await _by_reference(
        connection, entry, [one for one in came if one.creditor_account.key not in wallets]
    )
    matched = {
        one.scheme_reference: wallets.get(one.creditor_account.key) or referenced.get(_reference(one)) for one in came
    }
    house = await _suspense(connection, entry, came)
    digest = hashlib.sha256(message).digest()
    new = [_row(entry, one, matched[one.scheme_reference], house.get(one.currency), digest) for one in came]
    rows = await store_collections.receive(connection, entry.region, new, component("rail"))
    first = [
        (row, one)
        for row, mine, one in zip(rows, new, came, strict=True)
        if row.collection_id == mine.collection_id and row.wallet_id is not None
    ]
    await _keep_debtors(connection, vault, first)
    return Reception(rows, _refusals(rows, new))


async def _by_reference(connection: Connection, entry: CellEntry, unmatched: Sequence[Collection]) -> dict[str, Wallet]:
    """By wallet id: the wallets, no sub-wallets, that payers name in the remittance text of credits whose account is no wallet's."""
    named = sorted({reference for one in unmatched if (reference := _reference(one))})
    found = await tenants.find_wallets(connection, entry.region, named) if named else {}
    return {wallet_id: wallet for wallet_id, wallet in found.items() if not wallet.qualifier}


async def _suspense(connection: Connection, entry: CellEntry, came: Sequence[Collection]) -> dict[str, Wallet]:
    """By currency: the house's own wallet, whose actor suspends what a scheme lets nobody refuse. None where it is to be refused."""
    kept = {one.currency for one in came if registry.profile_of(one.rail).unmatched == "suspend"}
    wanted = [NewWallet(PEER_TENANT_PREFIX + entry.name, currency) for currency in sorted(kept)]
    found = await tenants.find_wallets_of_tenants(connection, entry.region, wanted) if wanted else {}
    return {one.currency: wallet for one, wallet in found.items()}


def _reference(credit: Collection) -> str:
    """The wallet that the remittance text names, and "" when it names none, or more than one."""
    found = {one.replace("-", "_") for one in _WALLET.findall(credit.remittance)}
    return found.pop() if len(found) == 1 else ""


def _row(
    entry: CellEntry, credit: Collection, wallet: Wallet | None, house: Wallet | None, digest: bytes
) -> CollectionRow:
    """`house`: where it rests when `wallet` cannot have it; None: it is refused then."""
    reason = _objection(credit, wallet)
    matched = None if credit.settlement.reason_code else wallet if reason is None else house
    collection_id = mint("col", entry.name)
    return CollectionRow(
        collection_id=collection_id,
        tenant_id=matched.tenant_id if matched else PEER_TENANT_PREFIX + entry.name,
        wallet_id=matched.wallet_id if matched else None,
        rail=credit.rail,
        scheme_reference=credit.scheme_reference,
        end_to_end_id=credit.end_to_end_id,
        amount=credit.amount_minor,
        currency=credit.currency,
        state="received" if matched else "refused",
        reason_code=reason,
        debtor_subject_id=collection_id if matched else None,
        message_sha256=digest,
        received_at=credit.received_at,
        settlement_date=credit.settlement.day,
        available_at=credit.settlement.available_at if matched else None,
    )


def _objection(credit: Collection, wallet: Wallet | None) -> str | None:
    """Why the credit cannot be taken. A peer's correspondent wallet is no account that anybody may pay into."""
    if credit.settlement.reason_code:
        return credit.settlement.reason_code
    if wallet is None or wallet.tenant_id.startswith(PEER_TENANT_PREFIX) or wallet.currency != credit.currency:
        return _UNKNOWN
    return _CLOSED if wallet.state == "closed" else None


def _refusals(rows: Sequence[CollectionRow], new: Sequence[CollectionRow]) -> dict[str, str]:
    refusals: dict[str, str] = {}
    for row, mine in zip(rows, new, strict=True):
        said, kept = (mine.amount, mine.currency, mine.end_to_end_id), (row.amount, row.currency, row.end_to_end_id)
        # Who the money is for may be found later, so what rested in suspense is still the same credit.
        matched = None not in (mine.wallet_id, row.wallet_id) and None is mine.reason_code is row.reason_code
        elsewhere = matched and mine.wallet_id != row.wallet_id
        if said != kept or elsewhere:
            refusals[row.scheme_reference] = _DUPLICATE
        elif row.state == "refused":
            refusals[row.scheme_reference] = row.reason_code or _UNKNOWN
    return refusals


async def _keep_debtors(
    connection: Connection, vault: Vault, first: Sequence[tuple[CollectionRow, Collection]]
) -> None:
    if not first:
        return
    refs = [SubjectRef(row.tenant_id, row.collection_id, KIND) for row, _ in first]
    sealed = vault.seal([(ref, _debtor(one)) for ref, (_, one) in zip(refs, first, strict=True)])
    await store_subjects.insert_sealed(
        connection,
        vault.region,
        [SealedSubject(ref, one) for ref, one in zip(refs, sealed, strict=True)],
        rules_of(vault.region).keeping.term,
    )


def _debtor(credit: Collection) -> bytes:
    who = credit.debtor
    account = who.account
    details = Debtor(
        name=who.name,
        account_number=account.number if account else "",
        bank=account.bank if account else "",
        country=who.country,
        town=who.town,
        street=who.street,
        postcode=who.postcode,
        remittance=credit.remittance,
    )
    return details.model_dump_json().encode()
