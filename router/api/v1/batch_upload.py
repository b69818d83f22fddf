"""A batch as a partner's pain.001: whose wallet it names, when it shall be paid, and each line as a wish or as a fault.

What is lawful here: personal data of a payee is kept in the region of his account and nowhere else. So a line may describe its creditor by name
and account only where the account is of this region: he is registered as a recipient, in the vault, in the transaction that takes the
batch. Who is paid in another region is named by the token that his region issued (uploads.py says where); a line that describes him all
the same is refused, and nothing of it is kept.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pydantic import ValidationError

from cells.backends.postgres import Connection
from cells.batches.batch import CHUNK, Fault
from cells.kit.payment_date import payment_date
from cells.parties.models import Address, BankAccount, RecipientNew
from cells.parties.recipients import Recipients
from cells.rails.account_spelling import account_key
from cells.rails.accounts import account_fields
from cells.rails.iso20022.uploads import PayoutLine, Upload
from cells.rails.rail import Party
from residency.errors import KovraError
from router.api.problems import invalid
from router.api.v1.batch_reading import BatchFileInvalid, ReadLine, Wished

_END_TO_END = "end_to_end_id"


def account_of(upload: Upload) -> str | None:
    """The debtor's account that most plainly names the wallet: the first line's."""
    return upload.lines[0].debtor_account if upload.lines else None


def execution_of(upload: Upload) -> datetime | None:
    """When the file asks to be paid; None for at once. Raises BatchFileInvalid for more than one answer, or one more than a year ahead."""
    if len(upload.execute_on) > 1:
        raise BatchFileInvalid("It asks for several execution dates; send a file for each, or scheduled_for.")
    try:
        return next((at for at in map(payment_date, upload.execute_on) if at > datetime.now(UTC)), None)
    except ValueError as error:
        raise BatchFileInvalid(f"Its execution date: {error}.") from None


async def read_uploaded(
    connection: Connection, recipients: Recipients, tenant_id: str, upload: Upload, account_number: str, payer_id: str
) -> list[ReadLine]:
    """The lines in the order of the file; creditors of this region are registered, each once. `account_number`: of the wallet."""
    found: dict[int, ReadLine] = {one.line: Fault(one.reason_code, one.detail) for one in upload.faults}
    new: dict[str, RecipientNew] = {}
    keys: dict[int, str] = {}
    for line in upload.lines:
        if account_key(line.debtor_account) != account_number:
            found[line.line] = Fault("AC02", "The debtor's account is not the one that the first line names.")
        elif line.creditor is not None:
            described = _described(line, line.creditor)
            if isinstance(described, Fault):
                found[line.line] = described
            else:
                keys[line.line] = key = described.model_dump_json()
                new.setdefault(key, described)
    named = await _registered(connection, recipients, tenant_id, new)
    for line in upload.lines:
        if line.line not in found:
            payee = named[keys[line.line]] if line.line in keys else line.recipient_token
            found[line.line] = payee if isinstance(payee, Fault) else _wished(line, payee, payer_id)
    return [found[number] for number in sorted(found)]


def _wished(line: PayoutLine, recipient_id: str, payer_id: str) -> Wished:
    return Wished(
        recipient_id, payer_id, "target", line.amount_minor, line.currency, {_END_TO_END: line.end_to_end_id},
        reference=line.remittance[:140] or None,
    )  # fmt: skip


def _described(line: PayoutLine, party: Party) -> RecipientNew | Fault:
    assert party.account is not None
    home = None
    try:
        if party.town and party.country:
            home = Address(
                street=party.street or None, post_code=party.postcode or None, town=party.town, country=party.country
            )
        account = BankAccount.model_validate(account_fields(party.account))
        return RecipientNew(currency=line.currency, name=party.name, account=account, address=home)
    except ValidationError as error:
        fault = Fault.of(invalid(error))
        return Fault(fault.code, fault.detail, f"/creditor{fault.pointer or ''}")


async def _registered(
    connection: Connection, recipients: Recipients, tenant_id: str, new: Mapping[str, RecipientNew]
) -> dict[str, str | Fault]:
    """By key, the token of each, or why there is none."""
    made: dict[str, str | Fault] = {}
    keys: Sequence[str] = list(new)
    for start in range(0, len(keys), CHUNK):
        part = keys[start : start + CHUNK]
        for key, one in zip(
            part, await recipients.create(connection, tenant_id, [new[key] for key in part]), strict=True
        ):
            if isinstance(one, KovraError):
                made[key] = Fault(one.code, one.detail, f"/creditor{one.pointer or ''}")
            else:
                made[key] = one.id
    return made
