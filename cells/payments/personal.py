"""The personal side of a transfer: what the law makes travel with it, and what the payer tells the payee. It lives in the vault, by transfer id.

At the origin the vault keeps the remittance; at the destination all that came in the sealed part. Nothing of it is ever
in the journal, in an actor's memory beyond one batch, or in a log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cells.backends.postgres import Connection
from cells.backends.vault import Sealed, SubjectRef, Vault
from cells.parties import store_subjects
from cells.parties.models import Address as PostalAddress
from cells.parties.models import PayerDetails
from cells.parties.payers import open_payers
from cells.parties.store_subjects import SealedSubject
from cells.payments.transfer import Transfer
from cells.rails.console import wallet_account
from cells.rails.rail import Account, Party
from cells.rails.remittance import Remittance
from residency.directory import Directory
from residency.rules import rules_of
from residency.travel_rule import (
    Address,
    BirthPlace,
    Demand,
    SealedParties,
    SealedPayer,
    TravelRuleIncomplete,
    demand,
    select,
)

KIND = "transfer"
_SORT_CODE_AND_NUMBER = 14


@dataclass(frozen=True, slots=True)
class SealedRemittance:
    """What the payer tells the payee, sealed under the transfer's own data key by whoever took the request."""

    sealed: Sealed = field(repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return SealedRemittance, (self.sealed,)  # see Command


def seal_remittance(vault: Vault, tenant_id: str, transfer_id: str, remittance: Remittance) -> SealedRemittance:
    data = remittance.model_dump_json(exclude_defaults=True).encode()
    [sealed] = vault.seal([(SubjectRef(tenant_id, transfer_id, KIND), data)])
    return SealedRemittance(sealed)


async def keep_remittances(
    connection: Connection, region: str, items: Sequence[tuple[str, str, SealedRemittance]]
) -> None:
    """Put `(tenant id, transfer id, remittance)` into the vault, to be erased when the law's term ends."""
    if items:
        subjects = [SealedSubject(SubjectRef(tenant, one, KIND), text.sealed) for tenant, one, text in items]
        await store_subjects.insert_sealed(connection, region, subjects, rules_of(region).keeping.term)


async def keep_parties(connection: Connection, vault: Vault, items: Sequence[tuple[str, str, SealedParties]]) -> None:
    """At the destination: put what came sealed, as `(tenant id, transfer id, parties)`, into this region's vault, to be
    erased when its law's term ends."""
    if items:
        refs = [SubjectRef(tenant, one, KIND) for tenant, one, _ in items]
        data = [parties.model_dump_json(exclude_none=True).encode() for _, _, parties in items]
        sealed = vault.seal(list(zip(refs, data, strict=True)))
        records = [SealedSubject(ref, one) for ref, one in zip(refs, sealed, strict=True)]
        await store_subjects.insert_sealed(connection, vault.region, records, rules_of(vault.region).keeping.term)


async def open_parties(connection: Connection, vault: Vault, transfer_ids: Sequence[str]) -> dict[str, SealedParties]:
    """At the destination: what came sealed, by transfer id. Raises VaultUnreadable."""
    opened = await store_subjects.open_subjects(connection, vault, transfer_ids)
    return {one: SealedParties.model_validate_json(data) for one, (_, data) in opened.items()}


async def open_remittances(connection: Connection, vault: Vault, transfer_ids: Sequence[str]) -> dict[str, Remittance]:
    """At the origin: what the payer tells the payee, by transfer id, for those that tell something. Raises VaultUnreadable."""
    opened = await store_subjects.open_subjects(connection, vault, transfer_ids)
    return {one: Remittance.model_validate_json(data) for one, (_, data) in opened.items()}


async def parties_to_seal(
    connection: Connection, vault: Vault, transfers: Sequence[Transfer], account_numbers: Mapping[str, str]
) -> dict[str, SealedParties]:
    """All that is on file of each transfer's payer, for the export gate to take from it what the law names.
    `account_numbers`: by wallet id. Raises VaultUnreadable."""
    payers = await open_payers(connection, vault, sorted({one.payer_id for one in transfers if one.payer_id}))
    texts = await open_remittances(connection, vault, [one.transfer_id for one in transfers])
    return {
        one.transfer_id: SealedParties(
            payer=_sealed_payer(payers[one.payer_id or ""], account_numbers[one.wallet_id]),
            remittance=texts[one.transfer_id].text or None if one.transfer_id in texts else None,
        )
        for one in transfers
    }


def demanded(directory: Directory, transfer: Transfer) -> Demand:
    """What the law makes travel with `transfer`. The same object for all payments of which it asks the same."""
    return demand(
        directory.cell(transfer.origin_cell).region,
        directory.cell(transfer.destination_cell).region,
        transfer.target_currency,
        transfer.target_amount,
    )


def lack(wanted: Demand, payer: PayerDetails, account_number: str) -> TravelRuleIncomplete | None:
    """What of the payer's data lacks for it to cross, if anything. Pure."""
    try:
        select(SealedParties(payer=_sealed_payer(payer, account_number)), wanted)
    except TravelRuleIncomplete as error:
        return TravelRuleIncomplete(error.detail, pointer="/payer_id", **error.extra)
    return None


def debtor_of(parties: SealedParties) -> Party:
    """The rails' debtor of a payment that came across a border."""
    home = parties.payer.address
    account = _account_of(parties.payer.account_number)
    if home is None:
        return Party(parties.payer.name, account)
    return Party(parties.payer.name, account, home.country, home.town, " ".join(home.lines), home.postcode or "")


def _account_of(number: str) -> Account:
    """A wallet's account number as its country writes it: an IBAN begins with letters, sort code and account are 14 digits together."""
    if number[:2].isalpha():
        return wallet_account("iban", number)
    return wallet_account("uk" if len(number) == _SORT_CODE_AND_NUMBER else "id", number)


def _sealed_payer(payer: PayerDetails, account_number: str) -> SealedPayer:
    birth_place = None
    if payer.place_of_birth and payer.country_of_birth:
        birth_place = BirthPlace(town=payer.place_of_birth, country=payer.country_of_birth)
    return SealedPayer(
        name=payer.name,
        account_number=account_number,
        address=_address(payer.address) if payer.address else None,
        document_number=payer.document.number if payer.document else None,
        customer_number=payer.customer_number,
        birth_date=payer.date_of_birth,
        birth_place=birth_place,
        lei=payer.lei,
    )


def _address(home: PostalAddress) -> Address:
    lines = tuple(line[:70] for line in home.in_lines) or (home.town,)
    return Address(lines=lines, town=home.town, postcode=home.post_code, country=home.country)
