"""Who pays from another region is written to every scheme with the account number of where the money came from."""

from datetime import UTC, datetime

import pytest

from cells.payments.personal import debtor_of
from cells.rails.iso20022 import payments
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import Party, Payout
from residency.ids import mint
from residency.travel_rule import SealedParties, SealedPayer
from tests.support.schemes import CREDITORS

NUMBERS = {
    "LT643999001123456789": ("iban", ""),
    "04990212345678": ("uk", "049902"),
    "8899903123456789018": ("id", ""),
}


@pytest.mark.parametrize("number", NUMBERS)
def test_the_account_is_written_as_its_country_writes_it(number: str) -> None:
    parties = SealedParties(payer=SealedPayer(name="Ann", account_number=number))
    debtor = debtor_of(parties)
    assert debtor.account is not None
    assert (debtor.account.form, debtor.account.bank) == NUMBERS[number]
    assert debtor.account.key == number
    for profile in rail_profiles().values():
        amount = max(profile.floor_minor, profile.payable_unit_minor)
        creditor = Party("Bo", CREDITORS[profile.currency])
        out = Payout(mint("tr", "eu-1"), amount, profile.currency, debtor, creditor)
        assert number[-8:].encode() in payments.build(profile, profile.participant_of(1), [out], datetime.now(UTC))
