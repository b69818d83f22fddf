"""A status report that names a payment by its UETR alone, or by it and another id."""

from cells.rails.iso20022 import reports
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import InDoubt, Refused, Settled, uetr
from tests.unit.cells.rails.test_status_reports import NOW, answers, group, line, pacs002, why

CHAPS = rail_profiles()["chaps"]
OWN, OTHERS = uetr("tr-eu1-a"), "8a562c67-ca16-48ba-b074-65581be6f001"


def test_a_payment_that_is_named_by_its_uetr_alone_is_that_payment() -> None:
    for body in (
        pacs002(line("", "ACSC", unique=OWN)),
        pacs002(line("NOTPROVIDED", "ACSC", tx_id="NOTPROVIDED", unique=OWN)),
        pacs002(group(), line("", "ACSC", unique=OWN)),
    ):
        assert isinstance(answers("chaps", body, "tr-eu1-a", "tr-eu1-b")["tr-eu1-a"], Settled)
        assert "tr-eu1-b" not in answers("chaps", body, "tr-eu1-a", "tr-eu1-b")
    refused = answers("chaps", pacs002(line("", "RJCT", why("AC04"), unique=OWN)), "tr-eu1-a")["tr-eu1-a"]
    assert isinstance(refused, Refused)
    stranger = reports.read_report(CHAPS, pacs002(line("", "ACSC", unique=OTHERS)), NOW)
    assert list(stranger.answers) == [OTHERS]
    assert reports.answers_to(stranger, ["tr-eu1-a"], {}) == {}


def test_one_payment_by_its_uetr_here_and_its_id_there_is_one_payment() -> None:
    body = pacs002(line("", "ACSC", unique=OWN), line("tr-eu1-a", "RJCT", why("AC04")))
    assert answers("chaps", body, "tr-eu1-a") == {"tr-eu1-a": InDoubt(NOW, "contradiction")}


def test_a_uetr_of_another_payment_beside_the_id_names_neither_where_the_rail_carries_one() -> None:
    body = pacs002(line("tr-eu1-a", "ACSC", unique=OTHERS), line("tr-eu1-b", "ACSC"))
    assert list(answers("chaps", body, "tr-eu1-a", "tr-eu1-b")) == ["tr-eu1-b"]
    # A bank on the way may have given one to a payment that we sent without.
    assert list(answers("sepa_instant", body, "tr-eu1-a", "tr-eu1-b")) == ["tr-eu1-a", "tr-eu1-b"]
