"""Between the account as a partner writes it and the account as the rails use it."""

from cells.parties.models import BankAccount, RecipientNew
from cells.rails.accounts import account_fields, parse_account
from cells.rails.modulus import ModulusTables
from cells.rails.rail import Account

_COUNTRY = {"uk": "GB", "id": "ID"}


def checked_account(request: RecipientNew, modulus: ModulusTables | None) -> tuple[Account, BankAccount, str]:
    """The account for the rails, the canonical form for the vault, and the country of the bank (ISO 3166-1
    alpha-2). `modulus`: by what UK accounts are checked, where it is installed.

    Raises IbanInvalid, AccountInvalid, NoRailForCurrency.
    """
    account = parse_account(request.currency, request.account.model_dump(exclude_none=True), "/account", modulus)
    country = account.number[:2] if account.form == "iban" else _COUNTRY[account.form]
    return account, BankAccount.model_validate(account_fields(account)), country


def account_from_vault(kept: BankAccount) -> Account:
    """The rails' account of the canonical form that `checked_account` gave."""
    if kept.iban is not None:
        return Account("iban", kept.iban, kept.bic or "")
    assert kept.account_number is not None, "a canonical account has an IBAN or a number"
    if kept.sort_code is not None:
        return Account("uk", kept.account_number, kept.sort_code)
    return Account("id", kept.account_number, kept.bank_code or "")
