"""SEPA Credit Transfer: euro, on TARGET days, with the payee the next business day at the latest."""

from datetime import time

from cells.rails.iso20022.reasons import pick
from cells.rails.profile import Hours, PaymentType, RailProfile, TextRules
from cells.rails.sepa import IBAN_COUNTRIES, SCOPE_SOURCE

_RULEBOOK = "EPC 2025 SEPA Credit Transfer rulebook 1.0, in force 5 October 2025 to 21 November 2027"
_GUIDELINES = "EPC SCT inter-PSP implementation guidelines, based on the 2019 ISO 20022 message versions"
_MECHANISM = "ours: as our clearing mechanism's gateway answers; the scheme itself confirms no accepted payment"

PROFILE = RailProfile(
    name="sepa_credit_transfer",
    title="SEPA Credit Transfer",
    participant_pattern="KOVRLT2{number}",
    currency="EUR",
    floor_minor=1,
    ceiling_minor=99_999_999_999,
    payable_unit_minor=1,
    zone="Europe/Berlin",
    hours=Hours(opens=time(7), cut_off=time(16), closes=time(18)),
    calendar="TARGET",
    settlement_days=1,
    cost_minor=5,
    may_reroute=True,
    unmatched="suspend",
    answer_time_s=30.0,
    finality_time_s=86_400.0,
    in_doubt="hold",
    wire="ISO 20022 XML over HTTPS to the clearing mechanism's gateway",
    payment_message="pacs.008.001.08",
    status_message="pacs.002.001.10",
    inquiry_message="pacs.028.001.03",
    transactions_per_message=50,
    carries_uetr=False,
    payment_type=PaymentType(service_level="SEPA", local_instrument=None),
    account_form="iban",
    countries=IBAN_COUNTRIES,
    text=TextRules(characters=r"A-Za-z0-9/\-?:().,'+ ", name_length=70, remittance_length=140),
    carries=frozenset({"creditor_reference", "purpose", "category_purpose"}),
    reasons=pick(
        "AC01", "AC03", "AC04", "AC06", "AG01", "AG02", "AM02", "AM03", "AM06", "AM12", "BE04", "CH16", "CNOR",
        "DNOR", "DT01", "ED05", "FF01", "MD07", "MS02", "MS03", "RC01", "RR01", "RR02", "RR03", "RR04", "TM01",
    ),
    not_found_code="AG09",
    settled_statuses=frozenset({"ACSC", "ACCC"}),
    accepted_status="ACCP",
    sources={
        "currency": _RULEBOOK,
        "floor_minor": f"{_RULEBOOK}: EUR 0.01",
        "ceiling_minor": f"{_RULEBOOK}: EUR 999,999,999.99",
        "payable_unit_minor": "ISO 4217: the euro has two decimals",
        "zone": "ECB: T2 works by Central European time",
        "hours": "ECB: T2 works from 07:00 to 18:00 CET on TARGET days; the cut-off at 16:00 is ours, taken from Baltic banks' 16:00 EET to 16:45 EET",
        "calendar": "ECB, 14 December 2000: Long-term calendar for TARGET closing days",
        "settlement_days": f"{_RULEBOOK}: the payee's bank has it the next business day at the latest",
        "cost_minor": "ours: an example tariff of our bank: EUR 0.05",
        "may_reroute": "ours: an order that no scheme has seen binds us to none of them",
        "unmatched": f"{_RULEBOOK}: what cannot be credited after settlement is returned (within three business days, not refused)",
        "answer_time_s": _MECHANISM,
        "finality_time_s": f"{_RULEBOOK}: executed by the end of the next business day; after that it cannot happen",
        "in_doubt": "ours: no scheme rule obliges us to give the money back while the answer is awaited",
        "restore_time_s": "none: nothing is restored",
        "wire": "ours: the gateway we connect to",
        "payment_message": _GUIDELINES,
        "status_message": _GUIDELINES,
        "inquiry_message": _GUIDELINES,
        "transactions_per_message": f"{_GUIDELINES}: payments travel in bulk; the size is {_MECHANISM}",
        "carries_uetr": f"{_GUIDELINES}: not part of the SEPA subset",
        "payment_type": f"{_GUIDELINES}: service level SEPA",
        "account_form": f"{_RULEBOOK}: IBAN only",
        "countries": SCOPE_SOURCE,
        "text": "EPC217-08, SEPA conversion table: basic Latin; 70 characters of name, 140 of remittance",
        "carries": f"{_RULEBOOK}, and EPC115-06 (interbank guidelines): Purp and CtgyPurp are carried; of Strd one creditor reference, SCOR",
        "reasons": "ISO 20022 external code sets; EPC guidance on reason codes for R-transactions, its rejects (Numeral, SEPA reason codes); a closed list: any other code is in doubt",
        "not_found_code": _MECHANISM,
        "settled_statuses": _MECHANISM,
        "accepted_status": _MECHANISM,
    },
)  # fmt: skip
