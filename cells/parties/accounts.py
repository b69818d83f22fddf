"""Between the account as a partner writes it and the account as the rails use it."""

from collections.abc import Sequence

from cells.parties.models import BankAccount, RecipientNew
from cells.rails.accounts import account_fields, check_reach, parse_account
from cells.rails.modulus import ModulusTables
from cells.rails.profile import RailProfile
from cells.rails.rail import Account
from residency.errors import needed


def checked_account(
    request: RecipientNew, modulus: ModulusTables | None, rails: Sequence[RailProfile]
) -> tuple[Account, BankAccount]:
    """The account for the rails, and the canonical form for the vault. `modulus`: by what UK accounts are checked, where it is
    installed; `rails`: those of the cell.

    Raises IbanInvalid, AccountInvalid, AccountUnreachable, NoRailForCurrency.
    """
    account = parse_account(request.currency, request.account.model_dump(exclude_none=True), "/account", modulus)
    check_reach(account, request.currency, rails, "/account")
    return account, BankAccount.model_validate(account_fields(account))


def account_from_vault(kept: BankAccount) -> Account:
    """The rails' account of the canonical form that `checked_account` gave."""
    if kept.iban is not None:
        return Account("iban", kept.iban, kept.bic or "")
    number = needed(kept.account_number, "a canonical account has an IBAN or a number")
    if kept.sort_code is not None:
        return Account("uk", number, kept.sort_code)
    return Account("id", number, kept.bank_code or "")
