"""Where the SEPA schemes reach: data of the European Payments Council, with its source."""

from typing import Final

SCOPE_SOURCE: Final = "EPC409-09, EPC List of SEPA Scheme Countries, version 8.0 of 24 December 2025, section 5"

# By the country code of IBANs. The territories of Finland, France, Portugal, Spain and the United Kingdom have IBANs of those
# countries; Gibraltar has its own.
IBAN_COUNTRIES: Final = frozenset(
    ["AD", "AL", "AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GI", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MC", "MD", "ME", "MK", "MT", "NL", "NO", "PL", "PT", "RO", "RS", "SE", "SI", "SK", "SM", "VA"]
)  # fmt: skip
