"""Which requests belong to a cell, told from path and header alone."""

from pathlib import Path

import pytest

from cells.parties.recipients import WrongRegion
from residency.directory import Directory, UnknownCell, load_directory
from router.api.region import check_currency, check_header, check_path


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    """The declared cells, and a second one in the EU."""
    declared = load_directory()
    eu = declared.cell("eu-1")
    second = eu.model_copy(update={"name": "eu-2", "number": 9})
    return Directory(cells={**declared.cells, "eu-2": second})


# Fixed, so that every test process collects the same names.
UUID = "06gvn33gkhpl79p3v9kuo71k58"


@pytest.mark.parametrize("path", ["/v1/quotes", f"/v1/transfers/tr_eu1_{UUID}/cancel", "/v1/x_y/eu_1", "/v1/tr_zz9_0"])
def test_what_names_no_other_cell_is_ours(directory: Directory, path: str) -> None:
    check_path(directory.cell("eu-1"), directory, path)


@pytest.mark.parametrize(
    ("path", "region", "cell"),
    [
        (f"/v1/recipients/rcp_id1_{UUID}.IDR.abc", "ID", "id-1"),
        (f"/v1/wallets/wal_uk1_{UUID}", "UK", "uk-1"),
        (f"/v1/wallets/wal_eu2_{UUID}", "EU", "eu-2"),
    ],
)
def test_an_id_of_another_cell_is_sent_there(directory: Directory, path: str, region: str, cell: str) -> None:
    with pytest.raises(WrongRegion) as refused:
        check_path(directory.cell("eu-1"), directory, path)
    assert refused.value.extra == {"region": region, "cell": cell}
    assert "abc" not in refused.value.detail


def test_the_header_may_name_this_region_or_cell_only(directory: Directory) -> None:
    here = directory.cell("eu-1")
    for own in ("EU", "eu", "eu-1"):
        check_header(here, directory, own)
    for other in ("ID", "id-1", "eu-2"):
        with pytest.raises(WrongRegion):
            check_header(here, directory, other)
    with pytest.raises(UnknownCell) as refused:
        check_header(here, directory, "Astrid Lindqvist")
    assert "Astrid" not in refused.value.detail


def test_a_currency_leads_to_its_region(directory: Directory) -> None:
    here = directory.cell("eu-1")
    check_currency(here, directory, "SEK", "/source/currency")
    check_currency(here, directory, "USD", "/source/currency")
    with pytest.raises(WrongRegion) as refused:
        check_currency(here, directory, "IDR", "/source/currency")
    assert (refused.value.extra["region"], refused.value.pointer) == ("ID", "/source/currency")
