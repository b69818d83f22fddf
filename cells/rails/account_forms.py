"""The forms that bank accounts are written in, as account_forms.toml has them: their fields, and the currencies paid to each. Pure."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from residency.faults import faults_of
from residency.rails import RailsInvalid

AccountForm = Literal["iban", "uk", "id"]
"""What has checks of its own (accounts.py)."""
FILE = "cells/rails/account_forms.toml"
_DATA = Path(__file__).with_suffix(".toml")


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AccountField(_Data):
    """One field of an account. `pattern`: of the bare text, without spaces and dashes; `holds`: the same in words."""

    name: str
    label: str
    pattern: str
    holds: str
    required: bool = True


class AccountFormat(_Data):
    """How accounts of a form are written. `country`: where they are, of all but IBANs, which say it themselves. `examples`: by currency,
    an account that is nobody's. `bic_countries`: of IBANs of a country, those in the BICs of its banks, where these are several."""

    source: str
    fields: tuple[AccountField, ...]
    examples: Mapping[str, Mapping[str, str]]
    country: str = ""
    clearing_system: str = ""
    bic_countries: Mapping[str, frozenset[str]] = {}


@cache
def account_formats() -> Mapping[AccountForm, AccountFormat]:
    """Every form there is. Raises RailsInvalid."""
    try:
        return TypeAdapter(dict[AccountForm, AccountFormat]).validate_python(tomllib.loads(_DATA.read_text("utf-8")))
    except ValidationError as error:
        raise RailsInvalid.of([f"{FILE}: {one}." for one in faults_of(error)]) from error


def form_of_currency(currency: str) -> AccountForm | None:
    """The form of the accounts that a currency is paid to; None where no account is."""
    return next((form for form, one in account_formats().items() if currency in one.examples), None)
