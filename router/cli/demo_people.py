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


def _payer(
    region: str, name: str, customer: str, address: tuple[str, str, str, str, str], document: tuple[str, str]
) -> Person:
    """`address`: street, number, post code, town, country, which has issued the `document` too: its type and number."""
    names = ("street", "building_number", "post_code", "town", "country")
    kind, number = document
    return Person(
        region,
        {
            "name": name,
            "customer_number": customer,
            "address": dict(zip(names, address, strict=True)),
            "document": {"type": kind, "number": number, "country": address[-1]},
        },
    )


def _recipient(region: str, currency: str, name: str, **account: str) -> Person:
    return Person(region, {"currency": currency, "name": name, "account": account})


RECIPIENTS: Mapping[str, Person] = MappingProxyType(
    {
        "indonesian": _recipient(
            "ID", "IDR", "Wulandari Prasetyaningrum", bank_code="014", account_number="7731904482"
        ),
        # The name is the magic value that makes the simulated scheme refuse (infra/schemes/magic.py).
        "refused": _recipient("ID", "IDR", "Sandbox Reject Hartanto", bank_code="008", account_number="1180057341"),
        "german": _recipient("EU", "EUR", "Käthe Brinkschulte", iban="DE89370400440532013000"),
        "briton": _recipient("UK", "GBP", "Rosalind Featherstonehaugh", sort_code="200000", account_number="55779911"),
    }
)
PAYERS: Mapping[str, Person] = MappingProxyType({
    "swede": _payer(
        "EU", "Astrid Bergqvist-Lönnroth", "CUST-SE-40917",
        ("Klostergatan", "17", "22222", "Lund", "SE"), ("passport", "KVR9047718"),
    ),
    "briton": _payer(
        "UK", "Gwendolyn Ashcroft", "CUST-GB-11208",
        ("Vicarage Lane", "4", "OX2 6QA", "Oxford", "GB"), ("passport", "KVR5530127"),
    ),
    "indonesian": _payer(
        "ID", "Bagaskara Nugrohoputra", "CUST-ID-66314",
        ("Jalan Cikini Raya", "73", "10330", "Jakarta", "ID"), ("national_id", "KVR3171029"),
    ),
})  # fmt: skip
INDONESIAN, SWEDE = RECIPIENTS["indonesian"], PAYERS["swede"]
