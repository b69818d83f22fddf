"""What the readers of a pain.001 share: the faults of one line as they are gathered, and texts of elements. Pure."""

from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from cells.rails.iso20022.upload_file import LineFault, fault_at

NO_ID: Final = "NOTPROVIDED"
"""What ISO 20022 has written where nobody gave an id."""


@dataclass(slots=True)
class Gathered:
    """The faults of one line, all of them: a person mends a file once."""

    line: int
    faults: list[LineFault] = field(default_factory=list)

    def no(self, element: etree._Element, code: str, detail: str) -> None:
        self.faults.append(fault_at(element, code, detail, self.line))


def words(holder: etree._Element | None, path: str) -> str:
    """The text of the first element at `path`, white space joined; "" where there is none."""
    return "" if holder is None else " ".join((holder.findtext(path) or "").split())


def names(party: etree._Element | None) -> str:
    """A party's name, for comparing."""
    return words(party, "Nm").casefold()


def account_number(gathered: Gathered, account: etree._Element | None, code: str, what: str) -> str:
    """IBAN or other number of an account; "" with a fault where it has none."""
    if account is None:
        return ""
    scheme = account.find("Id/Othr/SchmeNm/Cd")
    if scheme is not None and (scheme.text or "").strip() != "BBAN":
        gathered.no(scheme, "CH17", f"{what} is to be named by its IBAN or account number (BBAN).")
    number = words(account, "Id/IBAN") or words(account, "Id/Othr/Id")
    if not number or number.upper() == NO_ID:
        gathered.no(account, code, f"{what} has no number.")
        return ""
    return number
