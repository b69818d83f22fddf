"""UK Faster Payments, reached through a gateway.

The scheme's core speaks ISO 8583. We are no direct participant: our sponsor's gateway takes ISO 20022 and
speaks to the core, so message versions, batch size and codes below are the gateway's, and limits and hours
the scheme's.
"""

from cells.rails.iso20022.reasons import pick
from cells.rails.profile import PaymentType, RailProfile, TextRules

_LIMIT = 'Pay.UK, "£1 million Faster Payments now possible" (2022)'
_PRINCIPLES = "Pay.UK, Faster Payments Service Principles 7.1"
_GATEWAY = "ours: the gateway we connect to"

PROFILE = RailProfile(
    name="faster_payments",
    title="Faster Payments",
    participant_pattern="0499{number:02d}",
    currency="GBP",
    floor_minor=1,
    ceiling_minor=100_000_000,
    payable_unit_minor=1,
    zone="Europe/London",
    hours=None,
    calendar=None,
    settlement_days=0,
    cost_minor=25,
    may_reroute=True,
    unmatched="refuse",
    answer_time_s=15.0,
    finality_time_s=7200.0,
    in_doubt="hold",
    wire="ISO 20022 XML over HTTPS to an indirect-access gateway; the scheme's core is ISO 8583",
    payment_message="pacs.008.001.08",
    status_message="pacs.002.001.10",
    inquiry_message="pacs.028.001.03",
    transactions_per_message=50,
    carries_uetr=True,
    payment_type=PaymentType(service_level=None, local_instrument=None),
    account_form="uk",
    countries=frozenset({"GB"}),
    text=TextRules(characters=r"A-Za-z0-9/\-?:().,'+& ", name_length=40, remittance_length=140),
    carries=frozenset(),
    reasons=pick(
        "AB05", "AB08", "AC01", "AC03", "AC04", "AC06", "AG01", "AM02", "AM03", "AM04", "AM06", "AM12", "BE01",
        "CH16", "CNOR", "DT01", "FF01", "MS02", "MS03", "RC01", "RR04", "TM01",
    ),
    not_found_code="AG09",
    settled_statuses=frozenset({"ACSC", "ACCC"}),
    accepted_status="ACCP",
    sources={
        "currency": _PRINCIPLES,
        "floor_minor": "ISO 4217: one penny; the scheme states no higher floor",
        "ceiling_minor": _LIMIT,
        "payable_unit_minor": "ISO 4217: the pound has two decimals",
        "zone": f"{_PRINCIPLES}: the United Kingdom's time",
        "hours": f"{_LIMIT}: 24 hours a day and seven days a week",
        "calendar": f"{_LIMIT}: 24 hours a day and seven days a week",
        "settlement_days": f"{_LIMIT}: 24 hours a day and seven days a week",
        "cost_minor": "ours: an example tariff of our bank: GBP 0.25",
        "may_reroute": "ours: an order that no scheme has seen binds us to none of them",
        "unmatched": f"{_GATEWAY}; the scheme's receiver accepts or rejects each payment in real time",
        "answer_time_s": f"{_GATEWAY}; the scheme itself promises seconds and allows more",
        "finality_time_s": "fasterpayments.org.uk, How long do Faster Payments take: up to two hours",
        "in_doubt": "ours: no scheme rule obliges us to give the money back while the answer is awaited",
        "restore_time_s": "none: nothing is restored",
        "wire": f"{_GATEWAY}; {_PRINCIPLES} for ISO 8583 at the core",
        "payment_message": _GATEWAY,
        "status_message": _GATEWAY,
        "inquiry_message": _GATEWAY,
        "transactions_per_message": _GATEWAY,
        "carries_uetr": _GATEWAY,
        "payment_type": _GATEWAY,
        "account_form": f"{_PRINCIPLES}: sort code and account number",
        "countries": f"{_PRINCIPLES}: accounts with a UK sort code",
        "text": f"{_GATEWAY}; lengths as the core's fields hold them (not confirmed)",
        "carries": "ours: a text alone is sent; that the scheme carries more is not confirmed",
        "reasons": f"{_GATEWAY}: ISO 20022 external code sets in place of the core's own; a closed list: any other code is in doubt",
        "not_found_code": _GATEWAY,
        "settled_statuses": _GATEWAY,
        "accepted_status": _GATEWAY,
    },
)  # fmt: skip
