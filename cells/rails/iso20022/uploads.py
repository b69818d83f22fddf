"""pain.001, a partner's file of payments: read into payout lines, and faults by line. Pure.

Invariants: what spoils the file (its header, a count or a sum that does not hold) refuses all of it, with every fault of it; what spoils one
line is told of that line, with its place in the file, and the others stand. Each element is carried or refused, as upload_elements.py has it.
No fault quotes what a line says.

A creditor whose account is in another region is not described here, since personal data stays where the account is: its line names it by
the token that its region issued, in InstrForDbtrAgt (what the debtor's agent, which is us, shall act upon), and nothing else of it.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

from lxml import etree

from cells.kit.money import AMOUNT_MAX_MINOR, CURRENCIES
from cells.rails.iso20022.upload_creditors import read_creditor
from cells.rails.iso20022.upload_dates import read_execution, read_time
from cells.rails.iso20022.upload_debtors import read_debtor
from cells.rails.iso20022.upload_file import LineFault, UploadFile, fault_at, line_of, open_file, refused_in
from cells.rails.iso20022.upload_line import NO_ID, Gathered, names, words
from cells.rails.iso20022.upload_remittance import check_payment_type, read_remittance
from cells.rails.rail import MessageInvalid, Party
from cells.rails.remittance import Remittance
from residency.classes import Confidential, Personal, Public

LINES_MAX: Final = 10_000
FAULTS_SHOWN_MAX: Final = 1_000
_RECIPIENT: Final = "rcp_"
_DIGITS_MAX: Final = 20
_NUMBER_LENGTH_MAX: Final = 15
_SHARED, _OURS = "SHAR", "SLEV"


@dataclass(frozen=True, slots=True)
class PayoutLine:
    """One payment that the partner asks for. `line` counts from 1 through the whole file; `debtor_account` names the wallet, and
    `debtor_currency` its currency where the file says it. The payee is the `creditor`, or whoever `recipient_token` names. `ids`: the
    file's own, by the name under which the line keeps them. `element`: its CdtTrfTxInf."""

    line: Annotated[int, Public]
    ids: Annotated[Mapping[str, str], Confidential]
    amount_minor: Annotated[int, Confidential]
    currency: Annotated[str, Public]
    debtor_account: Annotated[str, Confidential]
    creditor: Party | None
    recipient_token: Annotated[str, Public] = ""
    debtor_currency: Annotated[str, Public] = ""
    remittance: Annotated[Remittance, Personal] = field(default_factory=Remittance, repr=False)
    element: Annotated[etree._Element | None, Personal] = field(default=None, repr=False, compare=False)

    def fault(self, code: str, detail: str, *paths: str) -> LineFault:
        """A fault of this line, at the first of `paths` (below CdtTrfTxInf) that the file has."""
        if self.element is None:
            return LineFault(self.line, code, detail)
        found = next((one for path in paths if (one := self.element.find(path)) is not None), self.element)
        return fault_at(found, code, detail, self.line)


@dataclass(frozen=True, slots=True)
class Upload:
    """A partner's file. Each of its lines is in one of the two lists; one at fault may have several faults. `file_key`: the same for two
    files of one initiating party with one MsgId, "" where the file has no id. `execute_on`: the execution dates that it asks for.
    `file_lines`: of every payment, in order, the line of the file that its CdtTrfTxInf begins in, from 1."""

    message_id: Annotated[str, Confidential]
    file_key: Annotated[str, Confidential]
    created_at: Annotated[datetime | None, Public]
    lines: Annotated[Sequence[PayoutLine], Confidential]
    faults: Annotated[Sequence[LineFault], Public]
    execute_on: Annotated[Sequence[datetime], Public] = ()
    file_lines: Annotated[Sequence[int], Public] = ()


def read_upload(body: bytes, zone: tzinfo = UTC) -> Upload:
    """`zone`: whose days and hours the file means where it names no zone. Raises MessageInvalid for a file that cannot be taken at all; its extra `faults` are those of the file and of its lines."""
    file = open_file(body)
    top = file.root.find("CstmrCdtTrfInitn")
    header = None if top is None else top.find("GrpHdr")
    if top is None or header is None:
        raise invalid_file("The file lacks its header.", file.faults)
    if len(file.payments) > LINES_MAX:
        raise MessageInvalid(f"A file holds 1 to {LINES_MAX:,} payments, and this has {len(file.payments):,}.")
    created, faults = read_time(header, "CreDtTm", 0, zone)
    faults += [*refused_in(header, "GrpHdr", 0), *refused_in(top, "", 0, but=("GrpHdr", "PmtInf"))]
    faults += _totals(header, [one for _, one in file.payments], "the file")
    for block in top.findall("PmtInf"):
        faults += _totals(block, block.findall("CdtTrfTxInf"), "the block")
    lines, of_lines = _lines(file, zone)
    whole = [one for one in file.faults if one.line == 0] + faults
    if whole:
        raise invalid_file(whole[0].detail, [*whole, *of_lines])
    dates = sorted({at for block in top.findall("PmtInf") if (at := read_execution(block, 0, zone)[0]) is not None})
    message_id = words(header, "MsgId")
    places = [line_of(one) for _, one in file.payments]
    return Upload(message_id, _file_key(header, message_id), created, lines, of_lines, dates, places)


def invalid_file(detail: str, faults: Sequence[LineFault]) -> MessageInvalid:
    """A refusal of the whole file, with its faults, each place once, of `faults_total` the first thousand."""
    places = {(one.path, one.reason_code, one.detail): one for one in reversed(faults)}
    found = sorted(places.values(), key=lambda one: (one.file_line, one.line))
    return MessageInvalid(detail, faults=[asdict(one) for one in found[:FAULTS_SHOWN_MAX]], faults_total=len(found))


def _file_key(header: etree._Element, message_id: str) -> str:
    """What makes two files one: who initiates them, and the MsgId. A digest, since the party has a name."""
    if message_id.upper() == NO_ID:
        return ""
    party = header.find("InitgPty")
    said = [] if party is None else [" ".join(text.split()).casefold() for text in party.itertext() if text.strip()]
    return hashlib.sha256("\x1f".join([message_id, *said]).encode()).hexdigest()


def _totals(holder: etree._Element, held: Sequence[etree._Element], what: str) -> list[LineFault]:
    faults: list[LineFault] = []
    count, total = holder.find("NbOfTxs"), holder.find("CtrlSum")
    number = "" if count is None else (count.text or "").strip()
    # Max15NumericText: what is longer is refused by its form.
    if count is not None and number.isdecimal() and len(number) <= _NUMBER_LENGTH_MAX and int(number) != len(held):
        said = f"NbOfTxs is {int(number)}, and {what} holds {len(held)}."
        faults.append(fault_at(count, "AM18", said, 0))
    if total is not None and (stated := _decimal(total.text)) is not None:
        amounts = [_decimal(one.findtext("Amt/InstdAmt")) for one in held]
        known = [one for one in amounts if one is not None]
        # ISO 20022: the control sum adds the amounts up whatever their currencies.
        if len(known) != len(amounts):
            faults.append(
                fault_at(
                    total, "AM10", f"CtrlSum cannot be held against {what}: not every payment of it has an InstdAmt.", 0
                )
            )
        elif sum(known) != stated:
            faults.append(
                fault_at(
                    total, "AM10", f"CtrlSum is {stated:f}, and the amounts of {what} add up to {sum(known):f}.", 0
                )
            )
    return faults


def _decimal(text: str | None) -> Decimal | None:
    try:
        found = Decimal((text or "").strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found.adjusted()) <= _DIGITS_MAX else None


def _lines(file: UploadFile, zone: tzinfo) -> tuple[list[PayoutLine], list[LineFault]]:
    malformed = {one.line for one in file.faults}
    repeated = {
        path: {one for one, count in Counter(words(line, path) for _, line in file.payments).items() if count > 1}
        for path in ("PmtId/EndToEndId", "PmtId/InstrId")
    }
    of_blocks: dict[etree._Element, Sequence[LineFault]] = {}
    block_ids: set[str] = set()
    lines: list[PayoutLine] = []
    faults = [one for one in file.faults if one.line]
    for number, (block, one) in enumerate(file.payments, start=1):
        if block not in of_blocks:
            of_blocks[block] = list(_block_faults(block, number, block_ids, zone))
        gathered = Gathered(number)
        gathered.faults += [
            LineFault(number, each.reason_code, each.detail, each.path, each.file_line) for each in of_blocks[block]
        ]
        if number not in malformed:
            _check_ids(gathered, one, repeated)
            gathered.faults += refused_in(one, "PmtInf/CdtTrfTxInf", number)
            line = _line(gathered, block, one)
            if line is not None and not gathered.faults:
                lines.append(line)
        faults += gathered.faults
    return lines, faults


def _block_faults(block: etree._Element, line: int, seen: set[str], zone: tzinfo) -> Iterable[LineFault]:
    """What is wrong with a PmtInf outside its payments, and so with each of them."""
    yield from refused_in(block, "PmtInf", line, but=("CdtTrfTxInf",))
    given = words(block, "PmtInfId")
    if given in seen:
        yield fault_at(block.find("PmtInfId"), "DU02", "Another PmtInf of the file has this PmtInfId.", line)
    if given.upper() != NO_ID:
        seen.add(given)
    if words(block, "PmtMtd") not in ("TRF", ""):
        yield fault_at(block.find("PmtMtd"), "CH16", "PmtMtd is to be TRF: cheques and advices are not made.", line)
    yield from read_execution(block, line, zone)[1]


def _check_ids(gathered: Gathered, one: etree._Element, repeated: Mapping[str, set[str]]) -> None:
    for path, code in (("PmtId/EndToEndId", "DU04"), ("PmtId/InstrId", "DU05")):
        given = words(one, path)
        if given and given.upper() != NO_ID and given in repeated[path]:
            gathered.no(one.find(path), code, f"Another line of the file has this {path.partition('/')[2]}.")


def _line(gathered: Gathered, block: etree._Element, one: etree._Element) -> PayoutLine | None:
    """None, and faults in `gathered`, for a line that cannot be paid."""
    amount = _amount(gathered, one)
    currency = amount[1] if amount is not None else ""
    token = words(one, "InstrForDbtrAgt")
    if token and not token.startswith(_RECIPIENT):
        gathered.no(
            one.find("InstrForDbtrAgt"), "CH17", "InstrForDbtrAgt takes a recipient's token (rcp_…), and nothing else."
        )
    creditor = None
    if token.startswith(_RECIPIENT):
        described = [each for each in (one.find(name) for name in ("Cdtr", "CdtrAcct", "CdtrAgt")) if each is not None]
        if described:
            gathered.no(
                described[0], "BE22", "Name the creditor by the token alone, or by name and account without one."
            )
    else:
        creditor = read_creditor(gathered, one, currency)
    check_payment_type(gathered, block, one, currency)
    _check_charges(gathered, block, one, currency)
    _check_ultimate(gathered, block, one)
    remittance = read_remittance(gathered, block, one, currency)
    debtor = read_debtor(gathered, block)
    if amount is None or gathered.faults:
        return None
    return PayoutLine(
        line=gathered.line,
        ids=_ids(block, one),
        amount_minor=amount[0],
        currency=currency,
        debtor_account=debtor,
        creditor=creditor,
        recipient_token=token,
        debtor_currency=words(block, "DbtrAcct/Ccy"),
        remittance=remittance,
        element=one,
    )


def _ids(block: etree._Element, one: etree._Element) -> dict[str, str]:
    given = {
        "end_to_end_id": words(one, "PmtId/EndToEndId"),
        "instruction_id": words(one, "PmtId/InstrId"),
        "payment_information_id": words(block, "PmtInfId"),
    }
    return {name: value for name, value in given.items() if value and value.upper() != NO_ID}


def _amount(gathered: Gathered, one: etree._Element) -> tuple[int, str] | None:
    found = one.find("Amt/InstdAmt")
    if found is None:
        return None  # EqvtAmt, which the table refuses
    currency = str(found.get("Ccy", ""))
    known = CURRENCIES.get(currency)
    value = _decimal(found.text)
    if known is None:
        gathered.no(found, "AM03", "InstdAmt is in a currency that is not supported.")
        return None
    minor = None if value is None else value.scaleb(known.exponent)
    if minor is None or not 0 < minor <= AMOUNT_MAX_MINOR:
        gathered.no(found, "AM12", "InstdAmt is not an amount that a payment can have.")
    elif minor != minor.to_integral_value() or minor % known.payable_unit_minor:
        gathered.no(found, "AM12", f"InstdAmt is not payable exactly in {currency}.")
    else:
        return int(minor), currency
    return None


def _check_charges(gathered: Gathered, block: etree._Element, one: etree._Element, currency: str) -> None:
    given = [found for found in (block.find("ChrgBr"), one.find("ChrgBr")) if found is not None]
    allowed = (_OURS,) if currency == "EUR" else (_OURS, _SHARED)
    for found in given:
        if (found.text or "").strip() not in allowed:
            gathered.no(
                found, "CH16", f"ChrgBr is to be {' or '.join(allowed)} where {currency or 'that currency'} is paid."
            )
    if len({(found.text or "").strip() for found in given}) > 1:
        gathered.no(given[-1], "CH16", "ChrgBr is another one than PmtInf's.")


def _check_ultimate(gathered: Gathered, block: etree._Element, one: etree._Element) -> None:
    """Ultimate parties are nobody else than the parties: others would be paid for, or to, unscreened."""
    for holder, ultimate, party in ((block, "UltmtDbtr", block), (one, "UltmtDbtr", block), (one, "UltmtCdtr", one)):
        found = holder.find(ultimate)
        same = ultimate.removeprefix("Ultmt")
        if found is not None and names(found) != names(party.find(same)):
            gathered.no(
                found,
                "CH17",
                f"{ultimate} is not {same}: only payer and payee are screened, so nobody else is paid for or to.",
            )
