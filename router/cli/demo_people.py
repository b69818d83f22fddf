"""Who appears in the demo. Invented, every one of them; the names are chosen so that no byte of a server has them by chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Person:
    """Where a person is registered, and with what, as the API takes it."""

    region: str
    details: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.details["name"])


INDONESIAN = Person(
    "ID",
    {
        "currency": "IDR",
        "name": "Wulandari Prasetyaningrum",
        "account": {"bank_code": "014", "account_number": "7731904482"},
    },
)
SWEDE = Person(
    "EU",
    {
        "name": "Astrid Bergqvist-Lönnroth",
        "address": {
            "street": "Klostergatan",
            "building_number": "17",
            "post_code": "22222",
            "town": "Lund",
            "country": "SE",
        },
        "document": {"type": "passport", "number": "KVR9047718", "country": "SE"},
        "customer_number": "CUST-SE-40917",
    },
)
RECIPIENTS = MappingProxyType(
    {
        "indonesian": INDONESIAN,
        "refused": Person(
            "ID",
            {
                # The name is the magic value that makes the simulated scheme refuse (infra/schemes/magic.py).
                "name": "Sandbox Reject Hartanto",
                "currency": "IDR",
                "account": {"bank_code": "008", "account_number": "1180057341"},
            },
        ),
        "german": Person(
            "EU",
            {"currency": "EUR", "name": "Käthe Brinkschulte", "account": {"iban": "DE89370400440532013000"}},
        ),
        "briton": Person(
            "UK",
            {
                "currency": "GBP",
                "name": "Rosalind Featherstonehaugh",
                "account": {"sort_code": "200000", "account_number": "55779911"},
            },
        ),
    }
)
PAYERS = MappingProxyType(
    {
        "swede": SWEDE,
        "briton": Person(
            "UK",
            {
                "name": "Gwendolyn Ashcroft",
                "address": {"street": "Vicarage Lane", "building_number": "4", "post_code": "OX2 6QA", "town": "Oxford", "country": "GB"},
                "document": {"type": "passport", "number": "KVR5530127", "country": "GB"},
                "customer_number": "CUST-GB-11208",
            },
        ),
        "indonesian": Person(
            "ID",
            {
                "name": "Bagaskara Nugrohoputra",
                "address": {"street": "Jalan Cikini Raya", "building_number": "73", "post_code": "10330", "town": "Jakarta", "country": "ID"},
                "document": {"type": "national_id", "number": "KVR3171029", "country": "ID"},
                "customer_number": "CUST-ID-66314",
            },
        ),
    }
)  # fmt: skip
