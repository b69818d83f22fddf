"""CHAPS, the Bank of England's high-value payments: sterling, in real time during the settlement day, no ceiling."""

from datetime import time

from cells.rails.iso20022.reasons import pick
from cells.rails.profile import Hours, PaymentType, RailProfile, TextRules

_TIMETABLE = "Bank of England, Summary of RTGS daily timetable (since 20 June 2016)"
_MANUAL = "Bank of England, CHAPS Reference Manual; CHAPS ISO 20022 technical guidance"
_BANK = "ours: we are an indirect participant, and our settlement bank's gateway answers so"

PROFILE = RailProfile(
    name="chaps",
    title="CHAPS",
    participant_pattern="KOVRGB2{number}",
    currency="GBP",
    floor_minor=1,
    ceiling_minor=None,
    payable_unit_minor=1,
    zone="Europe/London",
    hours=Hours(opens=time(6), cut_off=time(17, 40), closes=time(18)),
    calendar="GB",
    settlement_days=0,
    cost_minor=1_500,
    may_reroute=True,
    unmatched="suspend",
    answer_time_s=60.0,
    finality_time_s=86_400.0,
    in_doubt="hold",
    wire="ISO 20022 XML over HTTPS to our settlement bank's gateway",
    payment_message="pacs.008.001.08",
    status_message="pacs.002.001.10",
    inquiry_message="pacs.028.001.03",
    transactions_per_message=1,
    carries_uetr=True,
    payment_type=PaymentType(service_level=None, local_instrument=None),
    account_form="uk",
    countries=frozenset({"GB"}),
    text=TextRules(characters=r"A-Za-z0-9/\-?:().,'+& ", name_length=140, remittance_length=140),
    reasons=pick(
        "AC01", "AC03", "AC04", "AC06", "AG01", "AM02", "AM03", "AM04", "AM06", "AM12", "BE01", "CH16", "CNOR",
        "DT01", "FF01", "MS02", "MS03", "RC01", "RR01", "RR02", "RR03", "RR04", "TM01",
    ),
    not_found_code="AG09",
    settled_statuses=frozenset({"ACSC", "ACCC"}),
    accepted_status="ACSC",
    sources={
        "currency": _MANUAL,
        "floor_minor": f"{_MANUAL}: no minimum; ISO 4217: one penny",
        "ceiling_minor": f"{_MANUAL}: no maximum",
        "payable_unit_minor": "ISO 4217: the pound has two decimals",
        "zone": f"{_TIMETABLE}: London time",
        "hours": f"{_TIMETABLE}: 06:00 to 18:00, customers' payments (pacs.008) until 17:40 London time",
        "calendar": "Bank of England, CHAPS: every working day but bank holidays in England",
        "settlement_days": f"{_TIMETABLE}: in real time",
        "cost_minor": "ours: an example tariff of our bank: GBP 15.00",
        "may_reroute": "ours: an order that no scheme has seen binds us to none of them",
        "unmatched": "ISO 20022 usage in gross settlement: the receiver of a settled payment can only return it (pacs.004), not reject it (pacs.002)",
        "answer_time_s": f"{_BANK}; a payment may wait for the participant's liquidity",
        "finality_time_s": f"{_TIMETABLE}: what is not settled when the day ends is cancelled; a day leaves room for its end",
        "in_doubt": "ours: no scheme rule obliges us to give the money back while the answer is awaited",
        "restore_time_s": "none: nothing is restored",
        "wire": _BANK,
        "payment_message": f"{_MANUAL}: pacs.008.001.08 since June 2023",
        "status_message": _BANK,
        "inquiry_message": _BANK,
        "transactions_per_message": f"{_MANUAL}: a payment travels alone",
        "carries_uetr": f"{_MANUAL}: every payment carries one",
        "payment_type": _BANK,
        "account_form": f"{_MANUAL}: sort code and account number",
        "countries": f"{_MANUAL}: accounts with a UK sort code",
        "text": f"{_MANUAL}: HVPS+ usage; 140 characters of name and of remittance (exact set not confirmed)",
        "reasons": "ISO 20022 external code sets, those of a rejected customer payment; a closed list: any other code is in doubt",
        "not_found_code": _BANK,
        "settled_statuses": _BANK,
        "accepted_status": _BANK,
    },
)  # fmt: skip
