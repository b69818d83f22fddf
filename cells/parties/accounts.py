"""Between the account as a partner writes it and the account as the rails use it."""

from cells.parties.models import BankAccount
from cells.rails.rail import Account


def account_from_bank(written: BankAccount) -> Account:
    """The rails' account of a canonical `BankAccount` (one that came out of `bank_from_account`)."""
    if written.iban is not None:
        return Account("iban", written.iban, written.bic or "")
    assert written.account_number is not None, "a canonical account has an IBAN or a number"
    if written.sort_code is not None:
        return Account("uk", written.account_number, written.sort_code)
    return Account("id", written.account_number, written.bank_code or "")


def bank_from_account(account: Account) -> BankAccount:
    """The canonical form that the vault keeps and the partner is shown."""
    if account.form == "iban":
        return BankAccount(iban=account.number, bic=account.bank or None)
    if account.form == "uk":
        return BankAccount(sort_code=account.bank, account_number=account.number)
    return BankAccount(bank_code=account.bank, account_number=account.number)
