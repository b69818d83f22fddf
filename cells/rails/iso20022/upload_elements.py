"""What becomes of each element of a pain.001: carried to somewhere, or refused by name. One table, for both versions. Pure.

A path is relative to CstmrCdtTrfInitn. A row speaks of its element, and a row with `whole` of all below it too. The codes are of ISO 20022's
ExternalStatusReason1Code; CH17 is "element is not admitted". A test holds the table against the schemas: an element without a
row fails it. `kovra`'s README for batches shows the same table.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

NOT_ADMITTED: Final = "CH17"


class Element(NamedTuple):
    """One element: where what it says goes, and with which code it is refused, always (`carried` is "") or in the case of `why`."""

    path: str
    carried: str
    code: str = ""
    why: str = ""
    whole: bool = False

    @property
    def refused(self) -> bool:
        return not self.carried


def _to(path: str, carried: str, code: str = "", why: str = "") -> Element:
    return Element(path, carried, code, why)


def _whole(path: str, carried: str) -> Element:
    return Element(path, carried, whole=True)


def _no(path: str, why: str, code: str = NOT_ADMITTED) -> Element:
    return Element(path, "", code, why, whole=True)


_NOT_SCREENED = "Only payer and payee are screened, so nobody else is paid for or to: name the payer by payer_id, the payee as Cdtr."
_BANK_REPEATED = "nothing: the code beside it names the bank"


def _payment_type(at: str) -> list[Element]:
    level, kind, purpose = f"{at}/SvcLvl", f"{at}/LclInstrm", f"{at}/CtgyPurp"
    return [
        _to(f"{at}/InstrPrty", "met, HIGH and NORM: a payment leaves by the rail that pays soonest"),
        _to(
            f"{level}/Cd",
            "met: SEPA by the rails of euro; NURG and URGP, a payment leaves by the rail that pays soonest",
            "FF04",
            "Any other code, and SEPA with another currency than EUR.",
        ),
        _no(f"{level}/Prtry", "Leave it out: no service level of a bank's own is known.", "FF04"),
        _no(kind, "Leave it out: the rail is chosen by what pays soonest.", "FF05"),
        _to(
            f"{purpose}/Cd",
            "pacs.008 PmtTpInf/CtgyPurp/Cd, in EUR within the region",
            "FF06",
            "The rails of the currency do not carry it, or the payment crosses a border.",
        ),
        _no(f"{purpose}/Prtry", "Give a code of ExternalCategoryPurpose1Code.", "FF06"),
    ]


def _ultimate(at: str, same: str) -> list[Element]:
    return [
        _to(f"{at}/Nm", f"nothing to carry where it is the name of {same}", NOT_ADMITTED, _NOT_SCREENED),
        *(_no(f"{at}/{one}", _NOT_SCREENED) for one in ("PstlAdr", "Id", "CtryOfRes", "CtctDtls")),
    ]


def _agent(at: str, account: str, code: str) -> list[Element]:
    bank = f"{at}/FinInstnId"
    other = f"A bank other than that of {account}; NOTPROVIDED names none."
    return [
        _to(f"{bank}/BICFI", f"bank of {account}", code, other),
        _to(f"{bank}/BIC", f"bank of {account}", code, other),
        _to(f"{bank}/ClrSysMmbId/ClrSysId/Cd", "GBDSC: a sort code; IDCBS: an Indonesian bank code", code, "Any other system."),
        _no(f"{bank}/ClrSysMmbId/ClrSysId/Prtry", "Name the clearing system by its code, GBDSC or IDCBS.", code),
        _to(f"{bank}/ClrSysMmbId/MmbId", f"bank of {account}: sort code or Indonesian bank code"),
        _no(f"{bank}/LEI", "Name the bank by BIC, sort code or bank code."),
        _whole(f"{bank}/Nm", _BANK_REPEATED),
        _whole(f"{bank}/PstlAdr", _BANK_REPEATED),
        _to(f"{bank}/Othr/Id", f"bank of {account}: an Indonesian bank code; NOTPROVIDED names none"),
        _no(f"{bank}/Othr/SchmeNm", "Othr/Id is an Indonesian bank code, or NOTPROVIDED; leave its scheme out."),
        _no(f"{bank}/Othr/Issr", "Othr/Id is an Indonesian bank code, or NOTPROVIDED; leave its issuer out."),
        _no(f"{at}/BrnchId", "The account number names the branch; leave it out."),
    ]  # fmt: skip


def _account(at: str, carried: str, currency: str, code: str, why: str) -> list[Element]:
    return [
        _to(f"{at}/Id/IBAN", carried),
        _to(f"{at}/Id/Othr/Id", carried),
        _to(
            f"{at}/Id/Othr/SchmeNm/Cd",
            "BBAN: an account number",
            NOT_ADMITTED,
            "Any other scheme: that number is none of an account.",
        ),
        _no(f"{at}/Id/Othr/SchmeNm/Prtry", "Othr/Id is an account number; leave its scheme out, or write Cd BBAN."),
        _no(f"{at}/Id/Othr/Issr", "Othr/Id is an account number; leave its issuer out."),
        _no(f"{at}/Tp", "Leave it out: no rail carries the kind of an account."),
        _to(f"{at}/Ccy", currency, code, why),
        _no(f"{at}/Nm", "Leave it out: the account is held under the name of its party."),
        _no(f"{at}/Prxy", "Give the account's number: no alias is resolved."),
    ]


_BLOCK, _LINE = "PmtInf", "PmtInf/CdtTrfTxInf"
_PARTY, _ADDRESS, _STRUCTURED = f"{_LINE}/Cdtr", f"{_LINE}/Cdtr/PstlAdr", f"{_LINE}/RmtInf/Strd"
_RECIPIENT_ADDRESS = "recipient: address"

ELEMENTS: Final[Sequence[Element]] = (
    _to("GrpHdr/MsgId", "batch: message_id", "DU01", "Taken before from the same InitgPty: 409 `duplicate-file`."),
    _to("GrpHdr/CreDtTm", "batch: message_created_at", "DT01", "Outside the years 1 to 9999."),
    _no("GrpHdr/Authstn", "The request's key authorises it; leave it out."),
    _to("GrpHdr/NbOfTxs", "held against the file", "AM18", "It is not the number of CdtTrfTxInf."),
    _to("GrpHdr/CtrlSum", "held against the file", "AM10", "It is not the sum of InstdAmt."),
    _whole("GrpHdr/InitgPty", "whose MsgId it is; nothing else, since the payer is payer_id"),
    _no("GrpHdr/FwdgAgt", "Nobody forwards the file to us; leave it out."),
    _to(f"{_BLOCK}/PmtInfId", "line: metadata.payment_information_id", "DU02", "Another PmtInf of the file has it."),
    _to(f"{_BLOCK}/PmtMtd", "TRF, what every line is", "CH16", "CHK and TRA: cheques and advices are not made."),
    _to(f"{_BLOCK}/BtchBookg", "met, both: the batch is debited as one sum, and each line is listed with its own"),
    _to(f"{_BLOCK}/NbOfTxs", "held against the block", "AM18", "It is not the number of CdtTrfTxInf in it."),
    _to(f"{_BLOCK}/CtrlSum", "held against the block", "AM10", "It is not the sum of InstdAmt in it."),
    *_payment_type(f"{_BLOCK}/PmtTpInf"),
    _to(f"{_BLOCK}/ReqdExctnDt", "batch: scheduled_for", "DT01", "Two dates in one file, or outside the years 1 to 9999."),
    _to(f"{_BLOCK}/ReqdExctnDt/Dt", "batch: scheduled_for, as midnight in its zone, without one in the region's"),
    _to(f"{_BLOCK}/ReqdExctnDt/DtTm", "batch: scheduled_for, without a zone in the region's"),
    _no(f"{_BLOCK}/PoolgAdjstmntDt", "Leave it out: no pools are adjusted."),
    _whole(f"{_BLOCK}/Dbtr", "the payer is payer_id, as registered; the wallet is DbtrAcct's"),
    *_account(f"{_BLOCK}/DbtrAcct", "batch: source_wallet_id", "held against the wallet", "AC10", "It is not the wallet's."),
    *_agent(f"{_BLOCK}/DbtrAgt", "DbtrAcct", "RC03"),
    _no(f"{_BLOCK}/DbtrAgtAcct", "Leave it out."),
    _no(f"{_BLOCK}/InstrForDbtrAgt", "It speaks of one payment: write it in CdtTrfTxInf."),
    *_ultimate(f"{_BLOCK}/UltmtDbtr", "Dbtr"),
    _to(f"{_BLOCK}/ChrgBr", "SLEV, as sent; SHAR too where the currency is not EUR", "CH16", "CRED, DEBT, and SHAR in EUR."),
    _no(f"{_BLOCK}/ChrgsAcct", "Fees are taken from the wallet that pays."),
    _no(f"{_BLOCK}/ChrgsAcctAgt", "Fees are taken from the wallet that pays."),
    _to(f"{_LINE}/PmtId/InstrId", "line: metadata.instruction_id", "DU05", "Another line of the file has it."),
    _to(f"{_LINE}/PmtId/EndToEndId", "line: metadata.end_to_end_id; the scheme's is made of the transfer's id", "DU04",
        "Another line of the file has it; NOTPROVIDED is no id."),
    _no(f"{_LINE}/PmtId/UETR", "Leave it out: it is made of the transfer's id."),
    *_payment_type(f"{_LINE}/PmtTpInf"),
    _to(f"{_LINE}/Amt/InstdAmt", "line: target", "AM12", "Not payable exactly in its currency; AM03: a currency that is not paid."),
    _to(f"{_LINE}/Amt/InstdAmt@Ccy", "line: target.currency", "AM03", "No rail pays it."),
    _no(f"{_LINE}/Amt/EqvtAmt", "Give the amount to pay as InstdAmt.", "AM09"),
    _no(f"{_LINE}/XchgRateInf", "The rate is locked when the batch is due, and quoted to you."),
    _to(f"{_LINE}/ChrgBr", "SLEV, as sent; SHAR too where the currency is not EUR", "CH16", "CRED, DEBT, SHAR in EUR, or other than PmtInf's."),
    _no(f"{_LINE}/ChqInstr", "No cheques are made."),
    *_ultimate(f"{_LINE}/UltmtDbtr", "Dbtr"),
    *(_no(f"{_LINE}/IntrmyAgt{n}{kind}", "The rail finds its own way; leave it out.") for n in "123" for kind in ("", "Acct")),
    *_agent(f"{_LINE}/CdtrAgt", "CdtrAcct", "RC04"),
    _no(f"{_LINE}/CdtrAgtAcct", "Leave it out."),
    _to(f"{_PARTY}/Nm", "recipient: name; pacs.008 Cdtr/Nm", "CH16", "Longer than any rail of the currency carries (70 in EUR); BE22: missing."),
    _no(f"{_ADDRESS}/AdrTp", "Leave it out: an address is postal.", "BE04"),
    *(_no(f"{_ADDRESS}/{one}", "Write it in AdrLine.", "BE04") for one in (
        "Dept", "SubDept", "BldgNm", "Flr", "PstBx", "Room", "TwnLctnNm", "DstrctNm")),
    _to(f"{_ADDRESS}/StrtNm", f"{_RECIPIENT_ADDRESS}.street; pacs.008 StrtNm"),
    _to(f"{_ADDRESS}/BldgNb", f"{_RECIPIENT_ADDRESS}.building_number; pacs.008 BldgNb"),
    _to(f"{_ADDRESS}/PstCd", f"{_RECIPIENT_ADDRESS}.post_code; pacs.008 PstCd"),
    _to(f"{_ADDRESS}/TwnNm", f"{_RECIPIENT_ADDRESS}.town; pacs.008 TwnNm", "BE04", "Missing from an address."),
    _to(f"{_ADDRESS}/CtrySubDvsn", f"{_RECIPIENT_ADDRESS}.sub_division; pacs.008 CtrySubDvsn"),
    _to(f"{_ADDRESS}/Ctry", f"{_RECIPIENT_ADDRESS}.country; pacs.008 Ctry", "BE04", "Missing from an address."),
    _to(f"{_ADDRESS}/AdrLine", f"{_RECIPIENT_ADDRESS}.lines; pacs.008 AdrLine", "BE04",
        "Without TwnNm and Ctry, more than two with StrtNm and CtrySubDvsn counted, or over 70 characters."),
    _to(f"{_PARTY}/Id/OrgId/LEI", "recipient: lei, kind business; pacs.008 Cdtr/Id/OrgId/LEI", "BE17", "Check digits that do not hold."),
    *(_no(f"{_PARTY}/Id/OrgId/{one}", "Of an organisation's identifiers the LEI alone is carried.") for one in (
        "AnyBIC", "BICOrBEI", "Othr")),
    _no(f"{_PARTY}/Id/PrvtId", "No rail needs it: leave a person's identifiers out."),
    _no(f"{_PARTY}/CtryOfRes", "Write the country in PstlAdr."),
    _no(f"{_PARTY}/CtctDtls", "Nobody is contacted: leave it out."),
    *_account(f"{_LINE}/CdtrAcct", "recipient: account", "held against InstdAmt", "AC11", "It is not InstdAmt's."),
    *_ultimate(f"{_LINE}/UltmtCdtr", "Cdtr"),
    _no(f"{_LINE}/InstrForCdtrAgt", "No rail carries instructions for the payee's bank."),
    _to(f"{_LINE}/InstrForDbtrAgt", "line: recipient_id, a token rcp_…", NOT_ADMITTED, "Anything but a recipient's token."),
    _to(f"{_LINE}/Purp/Cd", "pacs.008 Purp/Cd, in EUR within the region", "FF07",
        "The rails of the currency do not carry it, or the payment crosses a border."),
    _no(f"{_LINE}/Purp/Prtry", "Give a code of ExternalPurpose1Code.", "FF07"),
    _no(f"{_LINE}/RgltryRptg", "Nothing is reported for you: leave it out."),
    _no(f"{_LINE}/Tax", "No rail carries it."),
    _no(f"{_LINE}/RltdRmtInf", "Advices are not sent: write what the payee needs in RmtInf."),
    _to(f"{_LINE}/RmtInf/Ustrd", "line: reference; pacs.008 RmtInf/Ustrd, several joined by a space", "RR08",
        "More than 140 characters together, or beside Strd (RR07)."),
    _no(f"{_STRUCTURED}/RfrdDocInf", "No rail here carries it: write the document's number in Ustrd.", "RR07"),
    _no(f"{_STRUCTURED}/RfrdDocAmt", "No rail here carries it: write it in Ustrd.", "RR07"),
    _to(f"{_STRUCTURED}/CdtrRefInf/Tp/CdOrPrtry/Cd", "pacs.008 …/CdtrRefInf/Tp/CdOrPrtry/Cd: SCOR", "RR07", "Any other code, or none."),
    _no(f"{_STRUCTURED}/CdtrRefInf/Tp/CdOrPrtry/Prtry", "Give Cd SCOR.", "RR07"),
    _to(f"{_STRUCTURED}/CdtrRefInf/Tp/Issr", "pacs.008 …/CdtrRefInf/Tp/Issr"),
    _to(f"{_STRUCTURED}/CdtrRefInf/Ref", "pacs.008 RmtInf/Strd/CdtrRefInf/Ref, in EUR within the region", "RR09",
        "RF… whose check digits do not hold (ISO 11649); RR07: the rails of the currency do not carry it, the payment crosses a border, or a"
        " second Strd."),
    *(_no(f"{_STRUCTURED}/{one}", "No rail here carries it: write it in Ustrd.", "RR07") for one in (
        "Invcr", "Invcee", "TaxRmt", "GrnshmtRmt", "AddtlRmtInf")),
    _no(f"{_LINE}/SplmtryData", "It has no meaning here."),
    _no("SplmtryData", "It has no meaning here."),
)  # fmt: skip

_BY_PATH: Final = {one.path: one for one in ELEMENTS}
assert len(_BY_PATH) == len(ELEMENTS), "an element has two rows"


_HOLDERS: Final = frozenset(
    one.path[:end] for one in ELEMENTS for end, sign in enumerate(one.path) if sign in "/@"
)  # fmt: skip


def only_holds(path: str) -> bool:
    """Whether the element at `path` says nothing itself, and holds others that have rows."""
    return path in _HOLDERS


def element_at(path: str) -> Element | None:
    """The row that speaks of the element or attribute at `path` by itself; None where it only holds others."""
    return _BY_PATH.get(path)


def markdown(versions: dict[str, set[str]]) -> Iterator[str]:
    """The table's lines for a README. `versions`: by version (`.03`), the paths that it has."""
    yield "| element of CstmrCdtTrfInitn | in | carried to | refused with |"
    yield "|---|---|---|---|"
    for one in ELEMENTS:
        among = [name for name, paths in versions.items() if one.path in paths]
        carried = one.carried or "–"
        refused = f"{one.code}: {one.why}" if one.code else "–"
        yield f"| `{one.path}{'/…' if one.whole else ''}` | {'both' if len(among) > 1 else among[0]} | {carried} | {refused} |"
