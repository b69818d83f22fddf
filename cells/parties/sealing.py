"""Party details in and out of the vault, and their names to screening."""

from collections.abc import Sequence

from cells.backends.postgres import Connection
from cells.backends.vault import SubjectRef, Vault
from cells.compliance.checker import Subject
from cells.compliance.identity import numbers_in
from cells.compliance.standing import NameReader
from cells.parties import store_subjects
from cells.parties.models import PayerDetails, RecipientDetails
from cells.parties.store_subjects import SealedSubject

RECIPIENT = "recipient"
PAYER = "payer"
Details = RecipientDetails | PayerDetails


async def seal_details(
    connection: Connection, vault: Vault, tenant_id: str, items: Sequence[tuple[str, Details]]
) -> None:
    """Put the details of new subjects, as `(subject id, details)`, into the vault."""
    subjects = [SubjectRef(tenant_id, subject_id, _kind(details)) for subject_id, details in items]
    data = [details.model_dump_json(exclude_none=True).encode() for _, details in items]
    sealed = vault.seal(list(zip(subjects, data, strict=True)))
    records = [SealedSubject(subject, record) for subject, record in zip(subjects, sealed, strict=True)]
    await store_subjects.insert_sealed(connection, vault.region, records)


async def open_recipient_details(
    connection: Connection, vault: Vault, row_ids: Sequence[str]
) -> dict[str, RecipientDetails]:
    """Details by row id; one that is unknown or erased is absent. Raises VaultUnreadable."""
    opened = await store_subjects.open_subjects(connection, vault, row_ids)
    return {
        subject_id: RecipientDetails.model_validate_json(data)
        for subject_id, (subject, data) in opened.items()
        if subject.kind == RECIPIENT
    }


async def open_payer_details(connection: Connection, vault: Vault, payer_ids: Sequence[str]) -> dict[str, PayerDetails]:
    """Details by id; one that is unknown or erased is absent. Raises VaultUnreadable."""
    opened = await store_subjects.open_subjects(connection, vault, payer_ids)
    return {
        subject_id: PayerDetails.model_validate_json(data)
        for subject_id, (subject, data) in opened.items()
        if subject.kind == PAYER
    }


def subject_of(subject_id: str, details: Details) -> Subject:
    """What screening is told of a party."""
    if isinstance(details, RecipientDetails):
        return Subject(subject_id, details.kind, details.name, numbers=numbers_in([details.lei]))
    document = details.document.number if details.document else None
    return Subject(
        subject_id,
        details.kind,
        details.name,
        details.date_of_birth,
        details.place_of_birth,
        numbers_in([document, details.lei]),
    )


def name_reader(vault: Vault) -> NameReader:
    """How screening reads again the names that it once saw."""

    async def read(connection: Connection, subject_ids: Sequence[str]) -> dict[str, tuple[str, Subject]]:
        opened = await store_subjects.open_subjects(connection, vault, subject_ids)
        return {
            subject_id: (subject.tenant_id, subject_of(subject_id, _parse(subject.kind, data)))
            for subject_id, (subject, data) in opened.items()
        }

    return read


def _parse(kind: str, data: bytes) -> Details:
    model = RecipientDetails if kind == RECIPIENT else PayerDetails
    return model.model_validate_json(data)


def _kind(details: Details) -> str:
    return RECIPIENT if isinstance(details, RecipientDetails) else PAYER
