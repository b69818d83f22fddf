"""The law as data: one TOML file per jurisdiction, and the published allow-list. This file only reads them.

A new jurisdiction is a new file `<region>.toml`; nothing else changes. A file that does not hold together
refuses to load.
"""

import tomllib
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from residency.errors import KovraError
from residency.faults import faults_of

_HERE = Path(__file__).resolve().parent
_ALLOW_LIST = "allow_list.toml"
ALLOW_LIST_VERSION = 1


class RulesInvalid(KovraError):
    code = "rules-invalid"
    title = "The rules of a jurisdiction are missing or do not hold together"


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tier(_Data):
    """Which sealed fields one side asks for: all of `required`, one whole group of `one_of`, and `optional`
    where known.
    """

    required: tuple[str, ...]
    one_of: tuple[tuple[str, ...], ...] = ()
    optional: tuple[str, ...] = ()
    source: Annotated[str, Field(min_length=1)]

    @property
    def names(self) -> frozenset[str]:
        return frozenset({*self.required, *self.optional, *(name for group in self.one_of for name in group)})


class Side(_Data):
    """The tiers of one direction: `full`, and `reduced` for amounts up to the ceiling."""

    full: Tier
    reduced: Tier

    def tier(self, reduced: bool) -> Tier:
        return self.reduced if reduced else self.full


class TravelRule(_Data):
    """`reduced_up_to_minor`: per currency, the amount (inclusive, minor units) up to which the reduced tier
    is enough.
    """

    source: str
    payee_source: str
    reduced_up_to_minor: dict[str, int]
    sending: Side
    receiving: Side

    def is_reduced(self, currency: str, amount_minor: int) -> bool:
        return amount_minor <= self.reduced_up_to_minor.get(currency, -1)


class Keeping(_Data):
    """How long the record of a transfer's information is kept, in days."""

    travel_rule_days: Annotated[int, Field(gt=0)]
    source: str

    @property
    def term(self) -> timedelta:
        return timedelta(days=self.travel_rule_days)


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name} is no time zone of the IANA database")
    return name


class JurisdictionRules(_Data):
    """One jurisdiction, as its file states it. `zone` (IANA): where its days and months are counted."""

    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    name: str
    zone: Annotated[str, AfterValidator(_known_zone)]
    supervisors: tuple[str, ...]
    data_protection: str
    keeping: Keeping
    travel_rule: TravelRule


class _AllowListVersion(_Data):
    version: int
    since: str
    fields: dict[str, str]


class _AllowLists(_Data):
    versions: tuple[_AllowListVersion, ...]


@cache
def all_rules() -> dict[str, JurisdictionRules]:
    """Every jurisdiction's rules by region. Raises RulesInvalid."""
    found: dict[str, JurisdictionRules] = {}
    for path in sorted(_HERE.glob("*.toml")):
        if path.name == _ALLOW_LIST:
            continue
        try:
            rules = JurisdictionRules.model_validate(tomllib.loads(path.read_text()))
        except ValidationError as error:
            raise RulesInvalid(f"residency/rules/{path.name}: {'; '.join(faults_of(error))}.") from error
        except tomllib.TOMLDecodeError as error:
            raise RulesInvalid(f"residency/rules/{path.name}: cannot be read: {error}.") from error
        if path.stem != rules.region.lower():
            raise RulesInvalid(
                f"residency/rules/{path.name} states the rules of {rules.region}; name it {rules.region.lower()}.toml."
            )
        _check_names(rules)
        found[rules.region] = rules
    return found


def _check_names(rules: JurisdictionRules) -> None:
    known = allow_list(ALLOW_LIST_VERSION)
    for side in (rules.travel_rule.sending, rules.travel_rule.receiving):
        if strangers := (side.full.names | side.reduced.names) - known:
            raise RulesInvalid(f"{rules.region} names fields that are not on the allow-list: {sorted(strangers)}.")


def rules_of(region: str) -> JurisdictionRules:
    """Raises RulesInvalid for a region without a rules file."""
    try:
        return all_rules()[region]
    except KeyError:
        raise RulesInvalid(f"{region} has no rules; write residency/rules/{region.lower()}.toml.") from None


@cache
def _allow_lists() -> dict[int, frozenset[str]]:
    lists = _AllowLists.model_validate(tomllib.loads((_HERE / _ALLOW_LIST).read_text()))
    return {one.version: frozenset(one.fields) for one in lists.versions}


def allow_list(version: int) -> frozenset[str]:
    """The names of one version of the allow-list. Raises RulesInvalid for a version never published."""
    try:
        return _allow_lists()[version]
    except KeyError:
        raise RulesInvalid(f"There is no version {version} of the allow-list.") from None
