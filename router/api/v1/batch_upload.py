"""A batch as a partner's pain.001: whose wallet it names, when it shall be paid, and each line as a wish or as a fault.

What is lawful here: personal data of a payee is kept in the region of the account and nowhere else. So a line may describe its creditor by name
and account only where the account is of this region: it is registered as a recipient, in the vault, in the transaction that takes the
batch. Who is paid in another region is named by the token that the region issued (uploads.py says where); a line that describes it all
the same is refused, and nothing of it is kept. With such a line travels the free text alone.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from cells.backends.postgres import Connection
from cells.batches.batch import CHUNK, Fault
from cells.kit.payment_date import payment_date
from cells.parties.models import Address, BankAccount, RecipientNew
from cells.parties.recipients import Recipients
from cells.rails.account_spelling import account_key
from cells.rails.accounts import account_fields
from cells.rails.iso20022.upload_file import LineFault
from cells.rails.iso20022.uploads import PayoutLine, Upload, invalid_file
from cells.rails.rail import Party
from cells.tenants.tenant import Wallet
from residency.errors import KovraError
from router.api.problems import invalid
from router.api.v1.batch_reading import BatchFileInvalid, ReadLine, Wished

_BANK: Final = "CdtrAgt/FinInstnId"
# Where a recipient's field stands in the file; the first of them that the line has.
_PLACES: Final = MappingProxyType(
    {
        "/name": ("Cdtr/Nm",),
        "/currency": ("Amt/InstdAmt",),
        "/account/iban": ("CdtrAcct/Id/IBAN",),
        "/account/account_number": ("CdtrAcct/Id/Othr/Id", "CdtrAcct/Id/IBAN"),
        "/account/sort_code": (f"{_BANK}/ClrSysMmbId/MmbId", f"{_BANK}/Othr/Id", "CdtrAcct"),
        "/account/bank_code": (f"{_BANK}/Othr/Id", f"{_BANK}/ClrSysMmbId/MmbId"),
        "/account/bic": (f"{_BANK}/BICFI", f"{_BANK}/BIC"),
        "/account": ("CdtrAcct",),
        "/address/street": ("Cdtr/PstlAdr/StrtNm",),
        "/address/building_number": ("Cdtr/PstlAdr/BldgNb",),
        "/address/post_code": ("Cdtr/PstlAdr/PstCd",),
        "/address/town": ("Cdtr/PstlAdr/TwnNm",),
        "/address/sub_division": ("Cdtr/PstlAdr/CtrySubDvsn",),
        "/address/country": ("Cdtr/PstlAdr/Ctry",),
        "/address/lines": ("Cdtr/PstlAdr/AdrLine",),
        "/address": ("Cdtr/PstlAdr",),
        "/lei": ("Cdtr/Id/OrgId/LEI",),
    }
)


def account_of(upload: Upload) -> str:
    """The debtor's account that most plainly names the wallet: the first line's. Raises BatchFileInvalid where every line is at fault."""
    if not upload.lines:
        raise _all_at_fault(upload.faults)
    return upload.lines[0].debtor_account


def execution_of(upload: Upload) -> datetime | None:
    """When the file asks to be paid; None for at once. Raises BatchFileInvalid for more than one answer, or one more than a year ahead."""
    if len(upload.execute_on) > 1:
        found = ", ".join(at.isoformat() for at in upload.execute_on)
        raise BatchFileInvalid(
            f"It asks for several execution dates ({found}); send a file for each, or scheduled_for."
        )
    try:
        return next((at for at in map(payment_date, upload.execute_on) if at > datetime.now(UTC)), None)
    except ValueError as error:
        raise BatchFileInvalid(f"Its execution date: {error}.") from None


async def read_uploaded(
    connection: Connection,
    recipients: Recipients,
    upload: Upload,
    wallet: Wallet,
    payer_id: str,
    cells_here: frozenset[str],
) -> list[ReadLine]:
    """The lines in the order of the file; creditors of this region are registered, each once. `cells_here`: the region's cells, by the name
    that their tokens have. Raises BatchFileInvalid where every line is at fault: then nothing of the file is kept."""
    faults: list[LineFault] = list(upload.faults)
    new: dict[str, RecipientNew] = {}
    keys: dict[int, str] = {}
    good: list[PayoutLine] = []
    for line in upload.lines:
        found = [*_of_wallet(line, wallet), *_of_border(line, cells_here)]
        if line.creditor is not None and not found:
            described = _described(line, line.creditor)
            if isinstance(described, KovraError):
                found += _of_recipient(line, described)
            else:
                keys[line.line] = key = described.model_dump_json()
                new.setdefault(key, described)
        faults += found
        if not found:
            good.append(line)
    named = await _registered(connection, recipients, wallet.tenant_id, new)
    wished: dict[int, ReadLine] = {}
    for line in good:
        payee = named[keys[line.line]] if line.line in keys else line.recipient_token
        if isinstance(payee, KovraError):
            faults += _of_recipient(line, payee)
        else:
            wished[line.line] = _wished(line, payee, payer_id)
    if not wished:
        raise _all_at_fault(faults)
    wished |= faults_by_line(faults)
    return [wished[number] for number in sorted(wished)]


def faults_by_line(faults: Sequence[LineFault]) -> dict[int, Fault]:
    """One fault for each line: the first one's code and element, and the sentences of all with their lines in the file."""
    found: dict[int, list[LineFault]] = {}
    for one in faults:
        found.setdefault(one.line, []).append(one)
    return {
        line: Fault(ones[0].reason_code, " ".join(f"Line {one.file_line}: {one.detail}" for one in ones), ones[0].path)
        for line, ones in found.items()
    }


def _all_at_fault(faults: Sequence[LineFault]) -> BatchFileInvalid:
    error = invalid_file(
        "Every payment of the file is at fault, and nothing of it was taken; `faults` lists them.", faults
    )
    return BatchFileInvalid(error.detail, **error.extra)


def _of_wallet(line: PayoutLine, wallet: Wallet) -> list[LineFault]:
    faults: list[LineFault] = []
    if account_key(line.debtor_account) != wallet.account_number:
        faults.append(
            line.fault("AC02", "PmtInf/DbtrAcct is not the account that the first line names.", "../DbtrAcct")
        )
    elif line.debtor_currency and line.debtor_currency != wallet.currency:
        faults.append(
            line.fault("AC10", f"PmtInf/DbtrAcct/Ccy is to be {wallet.currency}, the wallet's.", "../DbtrAcct/Ccy")
        )
    return faults


def _of_border(line: PayoutLine, cells_here: frozenset[str]) -> list[LineFault]:
    """Across a border travels what the allow-list names, and of a remittance that is its text."""
    if not line.recipient_token or line.recipient_token.split("_")[1] in cells_here:
        return []
    places = {
        "creditor_reference": ("RmtInf/Strd",),
        "purpose": ("Purp",),
        "category_purpose": ("PmtTpInf/CtgyPurp", "../PmtTpInf/CtgyPurp"),
    }
    said = "The payment crosses a border, and with it the text of Ustrd alone."
    return [line.fault("RR07", said, *places[name]) for name in sorted(line.remittance.needs)]


def _wished(line: PayoutLine, recipient_id: str, payer_id: str) -> Wished:
    return Wished(
        recipient_id, payer_id, "target", line.amount_minor, line.currency, line.ids,
        remittance=None if line.remittance.empty else line.remittance,
    )  # fmt: skip


def _described(line: PayoutLine, party: Party) -> RecipientNew | KovraError:
    assert party.account is not None
    home = None
    try:
        if party.town:
            home = Address(
                street=party.street or None, building_number=party.building or None, post_code=party.postcode or None, town=party.town,
                sub_division=party.subdivision or None, country=party.country, lines=party.lines,
            )  # fmt: skip
        account = BankAccount.model_validate(account_fields(party.account))
        kind = "business" if party.lei else "person"
        return RecipientNew(
            kind=kind, currency=line.currency, name=party.name, account=account, address=home, lei=party.lei or None
        )
    except ValidationError as error:
        return invalid(error, RecipientNew)


def _of_recipient(line: PayoutLine, error: KovraError) -> list[LineFault]:
    """A recipient's failure in the file's own words: its code, and the elements in place of the fields."""
    said = [(one["detail"], one.get("pointer")) for one in error.extra.get("errors", ())] or [
        (error.detail, error.pointer)
    ]
    faults: list[LineFault] = []
    for detail, pointer in said:
        at = pointer or ""
        while at and at not in _PLACES:
            at = at.rpartition("/")[0]
        faults.append(line.fault(error.code, detail, *_PLACES.get(at, ("Cdtr",))))
    return faults


async def _registered(
    connection: Connection, recipients: Recipients, tenant_id: str, new: Mapping[str, RecipientNew]
) -> dict[str, str | KovraError]:
    """By key, the token of each, or why there is none."""
    made: dict[str, str | KovraError] = {}
    keys: Sequence[str] = list(new)
    for start in range(0, len(keys), CHUNK):
        part = keys[start : start + CHUNK]
        for key, one in zip(
            part, await recipients.create(connection, tenant_id, [new[key] for key in part]), strict=True
        ):
            made[key] = one if isinstance(one, KovraError) else one.id
    return made


def of_whole(error: KovraError) -> BatchFileInvalid:
    """A file that cannot be taken at all, with every fault that it has."""
    return BatchFileInvalid(error.detail, **error.extra)
