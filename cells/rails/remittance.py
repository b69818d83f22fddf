"""What a payer tells the payee with a payment, beside the money: ISO 20022 RmtInf, Purp and CtgyPurp. Pure.

It is sealed in the vault under the payment's id from the moment it comes. Across a border the free text alone travels: the allow-list
(residency/rules) names nothing else of it.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from residency.classes import Personal

Carried = Literal["creditor_reference", "purpose", "category_purpose"]
"""What of it some rails carry and others do not (RailProfile.carries)."""


class Remittance(BaseModel):
    """`text`: RmtInf/Ustrd, at most 140 characters. `reference` with its `issuer`: RmtInf/Strd/CdtrRefInf of type SCOR, at most 35. `purpose`
    and `category_purpose`: codes of ISO 20022's external lists. "" is not given; never both text and reference."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    text: Annotated[str, Personal] = ""
    reference: Annotated[str, Personal] = ""
    issuer: Annotated[str, Personal] = ""
    purpose: Annotated[str, Personal] = ""
    category_purpose: Annotated[str, Personal] = ""

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        """Nothing: a text must not reach a log by way of a repr."""
        return []

    @property
    def needs(self) -> frozenset[Carried]:
        """What a rail must carry to carry this whole."""
        given: dict[Carried, str] = {
            "creditor_reference": self.reference,
            "purpose": self.purpose,
            "category_purpose": self.category_purpose,
        }
        return frozenset(name for name, value in given.items() if value)

    @property
    def empty(self) -> bool:
        return not self.text and not self.needs
