"""SEPA Instant Credit Transfer: euro, all hours, ten seconds."""

from cells.rails.iso20022.reasons import pick
from cells.rails.profile import PaymentType, RailProfile, TextRules

_RULEBOOK = "EPC 2025 SCT Inst rulebook 1.0, in force 5 October 2025 to 21 November 2027"
_GUIDELINES = "EPC SCT Inst inter-PSP implementation guidelines, based on the 2019 ISO 20022 message versions"
_REGULATION = "Regulation (EU) 260/2012 Art. 5a, inserted by Regulation (EU) 2024/886"

PROFILE = RailProfile(
    name="sepa_instant",
    title="SEPA Instant",
    participant_pattern="KOVRLT2{number}",
    currency="EUR",
    floor_minor=1,
    ceiling_minor=None,
    payable_unit_minor=1,
    always_open=True,
    answer_time_s=10.0,
    finality_time_s=60.0,
    in_doubt="restore",
    wire="ISO 20022 XML over HTTPS to the clearing mechanism's gateway",
    payment_message="pacs.008.001.08",
    status_message="pacs.002.001.10",
    inquiry_message="pacs.028.001.03",
    transactions_per_message=1,
    carries_uetr=False,
    payment_type=PaymentType(service_level="SEPA", local_instrument="INST"),
    account_form="iban",
    text=TextRules(characters=r"A-Za-z0-9/\-?:().,'+ ", name_length=70, remittance_length=140),
    reasons=pick("AB05", "AB06", "AB08", "AC01", "AC03", "AC04", "AC06", "AG01", "AG09", "AM02", "AM03", "AM05", "AM06",
                 "AM12", "BE04", "CH16", "CNOR", "FF01", "MD07", "MS03", "RC01", "RR04", "TM01"),
    open_reasons=frozenset({"AG09"}),
    not_found_code="AG09",
    settled_statuses=frozenset({"ACCP", "ACSC", "ACCC"}),
    accepted_status="ACCP",
    sources={
        "currency": _RULEBOOK,
        "floor_minor": f"{_RULEBOOK}: EUR 0.01",
        "ceiling_minor": f"{_RULEBOOK}: the scheme's maximum amount (EUR 100,000 before) is gone",
        "payable_unit_minor": "ISO 4217: the euro has two decimals",
        "always_open": f"{_REGULATION}: at all hours on any calendar day",
        "answer_time_s": f"{_REGULATION}: ten seconds from the receipt of the order",
        "finality_time_s": "ours: the scheme refuses a message whose time stamp is over its ten seconds; one minute leaves room for clocks",
        "in_doubt": f"{_REGULATION}: without a confirmation in ten seconds the payer's account is restored",
        "wire": "ours: the gateway we connect to",
        "payment_message": _GUIDELINES,
        "status_message": _GUIDELINES,
        "inquiry_message": _GUIDELINES,
        "transactions_per_message": f"{_GUIDELINES}: an instant payment travels alone",
        "carries_uetr": f"{_GUIDELINES}: not part of the SEPA subset",
        "payment_type": f"{_GUIDELINES}: service level SEPA, local instrument INST",
        "account_form": f"{_RULEBOOK}: IBAN only",
        "text": "EPC217-08, SEPA conversion table: the basic Latin set; 70 characters of name, 140 of remittance",
        "reasons": "ISO 20022 external code sets; EPC guidance on reason codes for R-transactions",
        "open_reasons": "AG09 answers a status request for a payment that is not known, and says nothing about one on its way",
        "not_found_code": "Oracle Banking Payments, EPC status inquiry: an unmatched pacs.028 is answered with AG09",
        "settled_statuses": f"{_GUIDELINES}: the positive confirmation is ACCP; clearing mechanisms also say ACSC, ACCC",
        "accepted_status": f"{_GUIDELINES}: ACCP",
    },
)
