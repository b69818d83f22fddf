"""The sealed part: the closed, versioned allow-list of personal data that the law makes travel with a
payment.

Invariant: nothing personal crosses unless it is a field of SealedParties, and of those only what the rules of
the two jurisdictions (residency/rules) name for this corridor and amount. `select` trims to that; `check`
refuses what is missing or too much.

Everything here is Personal: these models are never logged, and are never part of a BorderMessage.
"""

from collections.abc import Iterable
from datetime import date
from functools import cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from residency.classes import Personal
from residency.errors import KovraError
from residency.rules import ALLOW_LIST_VERSION, RulesInvalid, Tier, allow_list, rules_of


class TravelRuleIncomplete(KovraError):
    """The law asks for more of the payer than is on file. `extra["missing"]` names fields, never values."""

    code = "travel-rule-incomplete"
    status = 422
    title = "The payer's data lacks what the law makes travel with this payment"


class CrossingRefused(KovraError):
    """More would cross than the allow-list names for this corridor and amount: a fault of the caller."""

    code = "crossing-refused"
    title = "This data may not cross the border"


def _text(limit: int) -> StringConstraints:
    return StringConstraints(min_length=1, max_length=limit, pattern=r"^[^\x00-\x1f\x7f]+$")


class _Sealed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    def __repr_args__(self) -> Iterable[tuple[str | None, object]]:
        """Nothing: a person must not reach a log by way of a repr."""
        return ()


class Address(_Sealed):
    """ISO 20022 hybrid postal address: up to two free lines, town and ISO 3166-1 alpha-2 country apart."""

    lines: Annotated[tuple[Annotated[str, _text(70)], ...], Field(min_length=1, max_length=2), Personal]
    town: Annotated[str, _text(35), Personal]
    postcode: Annotated[str, _text(16), Personal] | None = None
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$"), Personal]


class BirthPlace(_Sealed):
    town: Annotated[str, _text(35), Personal]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$"), Personal]


class SealedPayer(_Sealed):
    """The payer. Which of the optional fields must be there, and which may not, is for the rules to say."""

    name: Annotated[str, _text(140), Personal]
    account_number: Annotated[str, _text(34), Personal]
    address: Annotated[Address, Personal] | None = None
    document_number: Annotated[str, _text(35), Personal] | None = None
    customer_number: Annotated[str, _text(35), Personal] | None = None
    birth_date: Annotated[date, Personal] | None = None
    birth_place: Annotated[BirthPlace, Personal] | None = None
    lei: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{18}[0-9]{2}$"), Personal] | None = None


class SealedPayee(_Sealed):
    """The payee, when the sending cell knows more of him than his token. As a rule it does not."""

    name: Annotated[str, _text(140), Personal]
    account_number: Annotated[str, _text(34), Personal]


class SealedParties(_Sealed):
    """All that may travel sealed. `remittance` is the payer's free text to the payee (ISO 20022 RmtInf, 140
    characters).
    """

    payer: Annotated[SealedPayer, Personal]
    payee: Annotated[SealedPayee, Personal] | None = None
    remittance: Annotated[str, _text(140), Personal] | None = None


def crossed_fields(parties: SealedParties) -> tuple[str, ...]:
    """The allow-list names of the fields that are set, sorted. Names only: this is what the customs log
    keeps.
    """
    names = [f"payer.{name}" for name in SealedPayer.model_fields if getattr(parties.payer, name) is not None]
    if parties.payee is not None:
        names += [f"payee.{name}" for name in SealedPayee.model_fields]
    if parties.remittance is not None:
        names.append("remittance")
    return tuple(sorted(names))


class Demand(BaseModel):
    """What the two jurisdictions of a corridor ask for one payment: the sending side's tier and the receiving
    side's.
    """

    model_config = ConfigDict(frozen=True)
    sending: Tier
    receiving: Tier

    def allowed(self) -> frozenset[str]:
        return self.sending.names | self.receiving.names

    def missing(self, present: Iterable[str]) -> tuple[str, ...]:
        """Names that are still needed, sorted; of alternatives none of which is whole, the first."""
        have = set(present)
        lacking: set[str] = set()
        for tier in (self.sending, self.receiving):
            lacking |= set(tier.required) - have
            if tier.one_of and not any(set(group) <= have for group in tier.one_of):
                lacking |= set(tier.one_of[0]) - have
        return tuple(sorted(lacking))


def demand(origin_region: str, destination_region: str, currency: str, amount_minor: int) -> Demand:
    """What must and may cross for one payment. `amount_minor` is what crosses (M), in `currency`; pass the
    sum for payments that screening finds linked. A currency for which a jurisdiction states no ceiling gets
    its full tier.
    """
    sender, receiver = rules_of(origin_region).travel_rule, rules_of(destination_region).travel_rule
    reduced = sender.is_reduced(currency, amount_minor), receiver.is_reduced(currency, amount_minor)
    return _demand(origin_region, destination_region, *reduced)


@cache
def _demand(origin_region: str, destination_region: str, sending_reduced: bool, receiving_reduced: bool) -> Demand:
    sender, receiver = rules_of(origin_region).travel_rule, rules_of(destination_region).travel_rule
    return Demand(sending=sender.sending.tier(sending_reduced), receiving=receiver.receiving.tier(receiving_reduced))


def check(present: Iterable[str], wanted: Demand) -> None:
    """Raises TravelRuleIncomplete when a demanded field is missing, CrossingRefused when a field is there
    that may not cross.
    """
    present = set(present)
    if excess := sorted(present - wanted.allowed()):
        raise CrossingRefused(f"Not on the allow-list for this payment: {', '.join(excess)}.", excess=excess)
    if missing := wanted.missing(present):
        raise TravelRuleIncomplete(f"Add the payer's {', '.join(missing)}.", missing=list(missing))


def select(parties: SealedParties, wanted: Demand) -> SealedParties:
    """The least of `parties` that meets the demand: required fields, the first alternative that is whole, and
    what is optional.

    Raises TravelRuleIncomplete.
    """
    present = set(crossed_fields(parties))
    keep: set[str] = set()
    for tier in (wanted.sending, wanted.receiving):
        keep |= {*tier.required, *tier.optional}
        whole = [set(group) for group in tier.one_of if set(group) <= present]
        # An alternative that crosses anyway adds nothing; otherwise the first that its jurisdiction lists.
        keep |= min(whole, key=lambda group: not group <= keep, default=set())
    payer = parties.payer.model_copy(
        update={name: None for name in SealedPayer.model_fields if f"payer.{name}" not in keep}
    )
    trimmed = SealedParties.model_construct(
        payer=payer,
        payee=parties.payee if "payee.name" in keep else None,
        remittance=parties.remittance if "remittance" in keep else None,
    )
    check(crossed_fields(trimmed), wanted)
    return trimmed


def sealable_fields() -> frozenset[str]:
    """Every name that SealedParties can hold."""
    payer = {f"payer.{name}" for name in SealedPayer.model_fields}
    return frozenset(payer | {f"payee.{name}" for name in SealedPayee.model_fields} | {"remittance"})


# The published list and the type must say the same, or nothing may start.
if allow_list(ALLOW_LIST_VERSION) != sealable_fields():
    raise RulesInvalid("residency/rules/allow_list.toml differs from SealedParties")
