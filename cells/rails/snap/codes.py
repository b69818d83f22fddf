"""What SNAP's answers mean, in one table. Pure.

A response code has seven digits: the HTTP status, the service, the case. Only what the table names is an answer; all else leaves the
payment in doubt.

- A refusal's case becomes the ISO 20022 reason code that says the same.
- "Duplicate" (409) and "inconsistent" (404 case 18) say that the bank has a payment of that reference: its status is to be asked. The
  standard has case 18 count as success for interbank transfers; we ask all the same, because it does not say so of our payment.
- 400 case 00 and all of 5xx are "general" errors, which may come after the payment went out: unknown.
- A refusal that says in words that the payment was there before is a duplicate, whatever its code.
- 401 and 429 refuse the request before it is looked at: nothing was taken.

Source: ASPI, SNAP, "Daftar Response Code", https://apidevportal.aspi-indonesia.or.id/docs/standar-teknis-keamanan; which ISO code says the same as a case is ours.
"""

import re
from typing import Literal

TRANSFER = "18"
STATUS = "36"
TOKEN = "73"  # noqa: S105 - the service's number

Meaning = Literal["settled", "pending", "not_found", "not_taken", "unknown"]

# HTTP status and case → what it means; of a refusal, ":" and the ISO reason code.
_CASES: dict[tuple[str, str], str] = {
    ("200", "00"): "settled",
    ("202", "00"): "pending",
    ("400", "01"): ":CH16",
    ("400", "02"): ":CH16",
    ("401", "00"): "not_taken",
    ("401", "01"): "not_taken",
    ("401", "03"): "not_taken",
    ("403", "00"): ":TM01",
    ("403", "01"): ":AG01",
    ("403", "02"): ":AM02",
    ("403", "03"): ":RR04",
    ("403", "05"): ":MS03",
    ("403", "06"): ":TM01",
    ("403", "07"): ":AC06",
    ("403", "09"): ":AC06",
    ("403", "14"): ":AM04",
    ("403", "15"): ":AG01",
    ("403", "18"): ":AC04",
    ("403", "20"): ":AM02",
    ("403", "23"): ":AM02",
    ("404", "01"): "not_found",
    ("404", "02"): ":RC01",
    ("404", "03"): ":CNOR",
    ("404", "09"): ":CNOR",
    ("404", "11"): ":AC01",
    ("404", "13"): ":AM12",
    ("404", "18"): "pending",
    ("409", "00"): "pending",
    ("409", "01"): "pending",
    ("429", "00"): "not_taken",
}
# latestTransactionStatus. 04, refunded: the money went and came back, which no single outcome says; a person looks.
_STATUSES: dict[str, Literal["settled", "pending", "refused", "not_found", "contradiction"]] = {
    "00": "settled",
    "01": "pending",
    "02": "pending",
    "03": "pending",
    "04": "contradiction",
    "05": "refused",
    "06": "refused",
    "07": "not_found",
}
_CODE = re.compile(r"[2-5]\d{6}")
NO_REASON = "MS03"


def transfer_meaning(http_status: int, code: str) -> str:
    """What the answer to a transfer means: a Meaning, or ":" and the ISO reason code of a refusal. A code that is not the HTTP status'
    own, or another service's, is unknown.
    """
    return _meaning(http_status, code, TRANSFER)


def inquiry_meaning(http_status: int, code: str) -> Meaning:
    """What the answer to a status inquiry says of the inquiry itself: "settled" when it was answered."""
    match _meaning(http_status, code, STATUS):
        case "settled":
            return "settled"
        case "not_found":
            return "not_found"
        case "not_taken":
            return "not_taken"
        case _:
            return "unknown"


def token_given(http_status: int, code: str) -> bool:
    return _meaning(http_status, code, TOKEN) == "settled"


def status_meaning(status: str) -> Literal["settled", "pending", "refused", "not_found", "contradiction", "unknown"]:
    """What `latestTransactionStatus` means."""
    return _STATUSES.get(status, "unknown")


def refusal_meaning(code: str) -> str:
    """What a refused transfer's own response code (`previousResponseCode`) makes of the refusal: ":" and the ISO reason code, or a Meaning
    or "contradiction" that leaves it in doubt.

    The status ends the payment where the code says why, where there is none, or where it only says that the bank did not know yet (202, 5xx).
    A transfer that was answered as paid cannot be refused as well; a duplicate's refusal is not the first one's; an unlisted code says
    nothing that we know.
    """
    if not code or (_CODE.fullmatch(code) and code[3:5] == TRANSFER and (code[:3] == "202" or code[0] == "5")):
        return ":" + NO_REASON
    meaning = _meaning(int(code[:3]), code, TRANSFER) if _CODE.fullmatch(code) else "unknown"
    return "contradiction" if meaning == "settled" else meaning


def _meaning(http_status: int, code: str, service: str) -> str:
    if not _CODE.fullmatch(code) or code[:3] != str(http_status) or code[3:5] != service:
        return "unknown"
    return _CASES.get((code[:3], code[5:]), "unknown")
