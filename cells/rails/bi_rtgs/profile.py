"""BI-RTGS, Bank Indonesia's high-value payments: rupiah, above IDR 100,000,000, in real time during the operating day."""

from datetime import time

from cells.rails.iso20022.reasons import pick
from cells.rails.profile import Hours, PaymentType, RailProfile, TextRules

_SYSTEM = "Bank Indonesia, Sistem BI-RTGS (bi.go.id, Sistem Pembayaran Nilai Besar)"
_FLOOR = "Bank Indonesia, since 1 July 2016: customers' transfers above IDR 100,000,000 (500,000,000 before)"
_UNCONFIRMED = "not confirmed: the participants' specification is not public; ISO 20022 usage taken"

PROFILE = RailProfile(
    name="bi_rtgs",
    title="BI-RTGS",
    participant_pattern="KOVRIDJ{number}",
    currency="IDR",
    floor_minor=10_000_000_100,
    ceiling_minor=None,
    payable_unit_minor=100,
    zone="Asia/Jakarta",
    hours=Hours(opens=time(6, 30), cut_off=time(16, 30), closes=time(19)),
    calendar="ID",
    settlement_days=0,
    cost_minor=2_500_000,
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
    carries_uetr=False,
    payment_type=PaymentType(service_level=None, local_instrument=None),
    account_form="id",
    countries=frozenset({"ID"}),
    text=TextRules(characters=r"A-Za-z0-9/\-?:().,'+& ", name_length=140, remittance_length=140),
    reasons=pick(
        "AC01", "AC03", "AC04", "AC06", "AG01", "AM02", "AM03", "AM04", "AM06", "AM12", "BE01", "CH16", "CNOR",
        "DT01", "FF01", "MS02", "MS03", "RC01", "RR04", "TM01",
    ),
    not_found_code="AG09",
    settled_statuses=frozenset({"ACSC", "ACCC"}),
    accepted_status="ACSC",
    sources={
        "currency": _SYSTEM,
        "floor_minor": f"{_FLOOR}: the next whole rupiah",
        "ceiling_minor": f"{_SYSTEM}: none stated",
        "payable_unit_minor": "ours: whole rupiah; ISO 4217 gives two decimals, which are not in use",
        "zone": "Bank Indonesia: its timetable is in WIB",
        "hours": "Bank Indonesia, 17 December 2025, hours as of then: opens 06:30, customers' payments until 16:30, cut-off 19:00 WIB",
        "calendar": "Bank Indonesia, operations at Idul Fitri 2022 to 2024: closed on national holidays and on joint leave, unlike BI-FAST",
        "settlement_days": f"{_SYSTEM}: in real time",
        "cost_minor": "ours: an example tariff of our bank: IDR 25,000, the average that customers paid in 2014 (Kompas)",
        "may_reroute": "ours: an order that no scheme has seen binds us to none of them",
        "unmatched": f"{_UNCONFIRMED}; settled gross before the receiver is asked, as in CHAPS",
        "answer_time_s": f"{_UNCONFIRMED}; a payment may wait for the participant's liquidity",
        "finality_time_s": "ours: what is not settled when the day ends is cancelled; a day leaves room for its end",
        "in_doubt": "ours: no rule found that obliges us to give the money back while the answer is awaited",
        "restore_time_s": "none: nothing is restored",
        "wire": _UNCONFIRMED,
        "payment_message": _UNCONFIRMED,
        "status_message": _UNCONFIRMED,
        "inquiry_message": _UNCONFIRMED,
        "transactions_per_message": f"{_SYSTEM}: settled one by one",
        "carries_uetr": _UNCONFIRMED,
        "payment_type": _UNCONFIRMED,
        "account_form": f"{_SYSTEM}: account number at a bank",
        "countries": "ours: Indonesian bank codes name banks of Indonesia alone",
        "text": _UNCONFIRMED,
        "reasons": f"{_UNCONFIRMED}: the scheme has codes of its own beside ISO's; a closed list: any other code is in doubt",
        "not_found_code": _UNCONFIRMED,
        "settled_statuses": _UNCONFIRMED,
        "accepted_status": _UNCONFIRMED,
    },
)  # fmt: skip
