"""What each simulated scheme insists on.

The schemes that are real are stated here, apart from the cell's own profiles, so that the sandbox finds a mistake in those. A rail that is
not among them has a scheme that insists on what its profile says.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

from residency.rails import rail_documents


@dataclass(frozen=True, slots=True)
class Hours:
    """When a scheme takes payments: Monday to Friday, between these times of day."""

    opens: time
    closes: time


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemeRules:
    """`zone`: where the scheme's days and times are counted. `unit_minor`: the smallest payable amount. `above_minor`: an amount must be above this. `positive`: how this scheme says that a
    payment is done. `settles_later`: its answer says that it is accepted, and that it is done is told afterwards. `hours`: None for all
    hours. `notifies`: a camt.054 tells of every inbound credit. `recalls_only`: money comes back only as the answer to a recall (FOCR); a
    command to return it stands for the recall too.
    """

    currency: str
    zone: ZoneInfo
    unit_minor: int = 1
    above_minor: int = 0
    ceiling_minor: int | None = None
    transactions_max: int = 1
    positive: str = "ACSC"
    text: re.Pattern[str]
    name_length: int
    settles_later: bool = False
    hours: Hours | None = None
    notifies: bool = False
    recalls_only: bool = False

    def day(self, moment: datetime) -> date:
        """The day that it is where the scheme is."""
        return moment.astimezone(self.zone).date()

    def works_at(self, moment: datetime) -> bool:
        """Whether it is open then by its hours. Holidays are not kept: a command closes the scheme on them."""
        there = moment.astimezone(self.zone)
        hours = self.hours
        return hours is None or (there.weekday() < 5 and hours.opens <= there.time() < hours.closes)


_EPC = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]*")
_WITH_AMPERSAND = re.compile(r"[A-Za-z0-9/\-?:().,'+& ]*")
_FRANKFURT, _LONDON, _JAKARTA = ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/London"), ZoneInfo("Asia/Jakarta")

_SETTLED = "ACSC"
_STATED = {
    "sepa_instant": SchemeRules(currency="EUR", zone=_FRANKFURT, positive="ACCP", text=_EPC, name_length=70, recalls_only=True),
    "sepa_credit_transfer": SchemeRules(
        currency="EUR", zone=_FRANKFURT, transactions_max=1_000, text=_EPC, name_length=70, settles_later=True,
        hours=Hours(time(7), time(17)),
    ),
    "faster_payments": SchemeRules(
        currency="GBP", zone=_LONDON, ceiling_minor=1_000_000_00, transactions_max=50, text=_WITH_AMPERSAND, name_length=40
    ),
    "chaps": SchemeRules(
        currency="GBP", zone=_LONDON, text=_WITH_AMPERSAND, name_length=140, hours=Hours(time(6), time(18)), notifies=True
    ),
    "bi_fast": SchemeRules(
        currency="IDR", zone=_JAKARTA, unit_minor=100, ceiling_minor=250_000_000_00, transactions_max=50, text=_WITH_AMPERSAND, name_length=140
    ),
    "bi_rtgs": SchemeRules(
        currency="IDR", zone=_JAKARTA, unit_minor=100, above_minor=100_000_000_00, text=_WITH_AMPERSAND, name_length=140,
        hours=Hours(time(6, 30), time(16)), notifies=True,
    ),
}  # fmt: skip


def _by_profile(document: Mapping[str, Any]) -> SchemeRules:
    """Of a rail that is stated in its profile alone (cells/rails/profiles)."""

    def fact(name: str, within: Mapping[str, Any] = document) -> Any:
        value = within[name]["value"]
        return None if value == "none" else value

    hours, settled = document["hours"], fact("settled_statuses")
    return SchemeRules(
        currency=fact("currency"),
        zone=ZoneInfo(fact("zone")),
        above_minor=fact("floor_minor") - 1,
        ceiling_minor=fact("ceiling_minor"),
        transactions_max=fact("transactions_per_message"),
        positive=_SETTLED if _SETTLED in settled else settled[0],
        text=re.compile(f"[A-Za-z0-9{re.escape(fact('signs', document['text']))}]*"),
        name_length=fact("name_length", document["text"]),
        settles_later=fact("settlement_days") > 0,
        hours=Hours(fact("opens", hours), fact("cut_off", hours)) if "opens" in hours else None,
    )


SCHEMES: Final[Mapping[str, SchemeRules]] = _STATED | {
    rail: _by_profile(document) for rail, document in rail_documents().items() if rail not in _STATED
}


def zone_of_currency(currency: str) -> tzinfo:
    """Where the schemes of that currency count their days."""
    return next((one.zone for one in SCHEMES.values() if one.currency == currency), UTC)


def day_of_currency(currency: str) -> str:
    """Today there, by the machine's clock: as messages date what settles at once."""
    return datetime.now(zone_of_currency(currency)).date().isoformat()
