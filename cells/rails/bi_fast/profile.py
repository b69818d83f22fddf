"""BI-FAST, Bank Indonesia's fast payments: rupiah, all hours.

The direct participant's form is ISO 20022; an indirect participant speaks SNAP (JSON, signed) to its bank instead.
"""

from cells.rails.iso20022.reasons import pick
from cells.rails.profile import PaymentType, RailProfile, TextRules

_REGULATION = "Bank Indonesia, PADG 23/25/PADG/2021 on BI-FAST"
_LAUNCH = "Bank Indonesia at the launch (October 2021), kept for the services added in December 2024"
_UNCONFIRMED = "not confirmed: the participants' specification is not public; ISO 20022 usage taken"

PROFILE = RailProfile(
    name="bi_fast",
    title="BI-FAST",
    participant_pattern="KOVRIDJ{number}",
    currency="IDR",
    floor_minor=100,
    ceiling_minor=25_000_000_000,
    payable_unit_minor=100,
    zone="Asia/Jakarta",
    hours=None,
    calendar=None,
    settlement_days=0,
    cost_minor=250000,
    may_reroute=True,
    unmatched="refuse",
    answer_time_s=25.0,
    finality_time_s=300.0,
    in_doubt="hold",
    wire="ISO 20022 XML over HTTPS to the operator's connector (direct participant), or SNAP over HTTPS to our bank (indirect)",
    wires=("iso20022", "snap"),
    payment_message="pacs.008.001.08",
    status_message="pacs.002.001.10",
    inquiry_message="pacs.028.001.03",
    transactions_per_message=50,
    carries_uetr=False,
    payment_type=PaymentType(service_level=None, local_instrument=None),
    account_form="id",
    countries=frozenset({"ID"}),
    text=TextRules(characters=r"A-Za-z0-9/\-?:().,'+& ", name_length=140, remittance_length=140),
    carries=frozenset(),
    reasons=pick(
        "AB05", "AB08", "AC01", "AC03", "AC04", "AC06", "AG01", "AM02", "AM03", "AM04", "AM06", "AM12", "BE01",
        "CH16", "CNOR", "DT01", "FF01", "MS02", "MS03", "RC01", "RR04", "TM01",
    ),
    not_found_code="AG09",
    settled_statuses=frozenset({"ACSC", "ACCC"}),
    accepted_status="ACCP",
    sources={
        "currency": _REGULATION,
        "floor_minor": f"{_LAUNCH}: from the first rupiah",
        "ceiling_minor": f"{_LAUNCH}: IDR 250,000,000 a transaction",
        "payable_unit_minor": "ours: whole rupiah; ISO 4217 gives two decimals, which are not in use",
        "zone": "Bank Indonesia works by WIB; that BI-FAST's settlement date turns at midnight there is not confirmed",
        "hours": f"{_REGULATION}: at any time of any day",
        "calendar": f"{_REGULATION}: at any time of any day",
        "settlement_days": f"{_REGULATION}: at any time of any day",
        "cost_minor": "ours: an example tariff of our bank: IDR 2,500, as Bank Indonesia caps what a customer may be asked",
        "may_reroute": "ours: an order that no scheme has seen binds us to none of them",
        "unmatched": _UNCONFIRMED,
        "answer_time_s": _UNCONFIRMED,
        "finality_time_s": _UNCONFIRMED,
        "in_doubt": "ours: no rule found that obliges us to give the money back while the answer is awaited",
        "restore_time_s": "none: nothing is restored",
        "wire": _REGULATION,
        "payment_message": _UNCONFIRMED,
        "status_message": _UNCONFIRMED,
        "inquiry_message": _UNCONFIRMED,
        "transactions_per_message": f"{_LAUNCH}: bulk credit; its size {_UNCONFIRMED}",
        "carries_uetr": _UNCONFIRMED,
        "payment_type": _UNCONFIRMED,
        "account_form": f"{_REGULATION}: account number (the proxy address is another service)",
        "countries": "ours: Indonesian bank codes name banks of Indonesia alone",
        "text": _UNCONFIRMED,
        "carries": "ours: a text alone is sent; that the scheme carries more is not confirmed",
        "reasons": f"{_UNCONFIRMED}: the scheme has codes of its own beside ISO's; a closed list: any other code is in doubt",
        "not_found_code": _UNCONFIRMED,
        "settled_statuses": _UNCONFIRMED,
        "accepted_status": _UNCONFIRMED,
    },
)  # fmt: skip
