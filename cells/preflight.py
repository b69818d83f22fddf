"""The directory of cells, checked whole before anything of a cell is opened: all that a declaration needs beside itself is there.

A cell is known whole at boot or refuses to boot: what is found missing later is found missing by a payment. `kovra up` and `kovra run`
ask this before they start anything, each process of a cell before it opens the institution. Every lack is one sentence: the file, what
to write there, and why. (What one file has wrong by itself is for residency.directory and residency.rules to say.)
"""

from collections.abc import Iterator, Mapping

from cells.compliance.rules import load_rules
from cells.fx.ecb import EcbHistory
from cells.fx.expressions import compiled
from cells.fx.fees import Circumstances, Tariff, seeds
from cells.fx.offers import corridor_of
from cells.fx.rates import RateMissing, RateTable
from cells.kit.money import CURRENCIES
from cells.rails.account_forms import FILE, account_formats, form_of_currency
from cells.rails.profile import RailProfile
from cells.rails.profile_files import rail_profiles
from cells.tenants.account_numbers import AccountNumbersMissing, account_form, cell_digits
from cells.tenants.tiers import Tier, partner_tiers
from residency.directory import CellEntry, Directory, DirectoryInvalid
from residency.rails import FOLDER, RailsInvalid
from residency.rules import RulesInvalid, rules_of

_MONEY = "cells/kit/money.py"
_NUMBERS = "cells/tenants/account_numbers.toml"
_TIERS = "cells/tenants/tiers.toml"
_FEES = "cells/fx/fees.toml"
_REVIEW = "cells/compliance/data/rules.toml"
# Some amount that fee rules are asked about: whether they apply, never how much they take.
_ANY_MINOR = 1_000_000


def check_directory(directory: Directory) -> None:
    """Raises DirectoryInvalid with every lack of every cell."""
    if found := list(dict.fromkeys(lacks(directory))):
        raise DirectoryInvalid.of(found)


def lacks(directory: Directory) -> Iterator[str]:
    """What the cells of a directory still need, a sentence each. Profiles that cannot be read come alone: what follows needs them."""
    try:
        account_formats()
        rail_profiles()
    except RailsInvalid as error:
        yield from error.faults
        return
    rates = EcbHistory().latest()
    # The tiers' amounts are read by the decimals of their currencies.
    tiers = partner_tiers() if directory.region_of_currency.keys() <= CURRENCIES.keys() else {}
    for cell in directory.cells.values():
        yield from _rules(cell)
        yield from _rails(cell)
        yield from _numbers(directory, cell)
        yield from _caps(cell)
        for currency in cell.currencies:
            yield from _currency(cell, currency, rates)
            yield from _accounts(cell, currency)
            yield from _terms(directory, cell, currency, tiers)


def _declaration(cell: CellEntry) -> str:
    return f"cells/declared/{cell.name}.toml"


def _rules(cell: CellEntry) -> Iterator[str]:
    try:
        rules_of(cell.region)
    except RulesInvalid as error:
        yield f"{error.detail} Without rules {cell.name} has no corridor."


def _rails(cell: CellEntry) -> Iterator[str]:
    for rail in cell.rails:
        profile = rail_profiles().get(rail)
        if profile is None:
            yield f"{FOLDER}/{rail}.toml: write the profile of {rail}, which {cell.name} names in its rails."
        elif profile.currency not in cell.currencies:
            yield f"{_declaration(cell)}: add {profile.currency}, which its rail {profile.name} moves, to currencies."


def _numbers(directory: Directory, cell: CellEntry) -> Iterator[str]:
    """Whether account numbers of two cells of a region could be the same."""
    for other in directory.regions[cell.region]:
        if other.number < cell.number and cell_digits(other.number) == cell_digits(cell.number):
            yield (
                f"{_declaration(cell)}: take a number that does not end in {cell_digits(cell.number)}: "
                f"{other.name} would mint the same account numbers."
            )


def _caps(cell: CellEntry) -> Iterator[str]:
    caps = cell.settlement.peer_cap_minor.keys()
    for currency in cell.currencies:
        if currency not in caps:
            yield f"{_declaration(cell)}: add {currency} to settlement.peer_cap_minor: without a cap a stolen key could drain the cell."
    for currency in sorted(caps - set(cell.currencies)):
        yield f"{_declaration(cell)}: take {currency} out of settlement.peer_cap_minor: {cell.name} does not hold it."


def _moving(cell: CellEntry, currency: str) -> list[RailProfile]:
    return [one for rail in cell.rails if (one := rail_profiles().get(rail)) and one.currency == currency]


def _currency(cell: CellEntry, currency: str, rates: RateTable) -> Iterator[str]:
    if currency not in CURRENCIES:
        yield f"{_MONEY}: add {currency}, which {cell.name} holds, to CURRENCIES, with its ISO 4217 number and decimals."
    if not _moving(cell, currency):
        yield (
            f"{_declaration(cell)}: add a rail that moves {currency} to rails, or take {currency} out of currencies: "
            "nothing could bring it in or pay it out."
        )
    try:
        rates.rate(rates.base, currency)
    except RateMissing as error:
        yield f"{_declaration(cell)}: take {currency} out of currencies: {error.detail}"


def _accounts(cell: CellEntry, currency: str) -> Iterator[str]:
    if form_of_currency(currency) is None:
        yield f"{FILE}: add {currency} to the examples of the form that its accounts are written in, with an account that is nobody's."
    try:
        form = account_form(cell.region, currency, cell.number)
    except AccountNumbersMissing as error:
        yield f"{_NUMBERS}: {error.detail}: the account numbers of wallets in {currency} at {cell.name}."
        return
    for profile in _moving(cell, currency):
        if profile.account_form != form:
            yield (
                f"{_NUMBERS}: correct [{cell.region}.{currency}]: {profile.name} names accounts in the form {profile.account_form}, "
                f"and wallets would be numbered in the form {form}."
            )


def _terms(directory: Directory, cell: CellEntry, currency: str, tiers: Mapping[str, Tier]) -> Iterator[str]:
    for tier in tiers.values():
        if currency not in tier.limits:
            yield f"{_TIERS}: add {currency} to [{tier.name}.limits]: what no rule allows may not be sent."
    if currency not in load_rules().review_amount_minor:
        yield f"{_REVIEW}: add {currency} to [review_amount_minor]: from there on a person looks at a payment."
    unpriced = [target for target in directory.region_of_currency if not _has_fee(directory, cell, currency, target)]
    if unpriced:
        yield (
            f'{_FEES}: add a [[rule]] with currency = "{currency}" that applies to payments to {", ".join(unpriced)}: '
            "a fee of 0 is a rule, too."
        )


def _has_fee(directory: Directory, cell: CellEntry, currency: str, target: str) -> bool:
    corridor = corridor_of(directory.region_of_currency, cell.region, currency, target)
    tariff = Tariff(seeds((currency,)), Circumstances(currency, target, corridor, "", ""))
    facts = tariff.facts(_ANY_MINOR)
    return any(compiled(one.applies, "condition").of(facts) for one in tariff.rules)
