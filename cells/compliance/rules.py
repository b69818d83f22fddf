"""The thresholds of screening and review: data/rules.toml, read once and validated."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cells.compliance.lists import DATA, ListsInvalid

Score = Annotated[int, Field(ge=50, le=100)]
LARGE_AMOUNT = "large-amount"


class Rules(BaseModel):
    """`review_score` is a likeness of 0 to 100, `other_birth_penalty` what another date of birth takes off it. Amounts are per currency, in
    minor units: from `review_amount_minor` a person looks at a payment, from `second_officer_amount_minor` a second officer confirms what
    the first has decided of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    review_score: Score
    other_birth_penalty: Annotated[int, Field(ge=0, le=50)]
    birth_year_tolerance: Annotated[int, Field(ge=0, le=5)]
    review_amount_minor: dict[str, Annotated[int, Field(gt=0)]]
    second_officer_amount_minor: dict[str, Annotated[int, Field(gt=0)]]

    def review_reasons(self, payments: Sequence[tuple[str, int]]) -> list[str | None]:
        """For each `(currency, amount in minor units)`, why a person must look at it, or None."""
        return [
            LARGE_AMOUNT
            if currency in self.review_amount_minor and amount >= self.review_amount_minor[currency]
            else None
            for currency, amount in payments
        ]

    def second_officer(self, currency: str, amount: int) -> bool:
        """Whether a decision on a payment of that amount, in minor units, takes two officers. It does in a currency without a figure."""
        return amount >= self.second_officer_amount_minor.get(currency, 0)


def load_rules(data: Path = DATA) -> Rules:
    """Raises ListsInvalid."""
    try:
        return Rules.model_validate(tomllib.loads((data / "rules.toml").read_text()))
    except (OSError, ValueError, ValidationError) as error:
        raise ListsInvalid(f"Cannot read {data / 'rules.toml'}: {error}") from error
