"""The history checker finds what is planted, and nothing where nothing is."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from tests.chaos.history.check import Anomaly, Final, check
from tests.chaos.history.model import Change, Look, WalletReplay, may_follow
from tests.chaos.history.record import Call, History

WALLET = "wal_eu1_a"
OPENING = 10_000


class Scene:
    """A history written by hand: the clock is moved, calls begin and end."""

    def __init__(self) -> None:
        self.time = 0.0
        self.history = History(lambda: self.time)
        self.final: dict[str, Final] = {}
        self.closing = OPENING

    def at(self, time: float) -> "Scene":
        self.time = time
        return self

    def begin(self, kind: str, subject: str) -> Call:
        return self.history.begin("client", kind, subject, WALLET)  # type: ignore[arg-type]  # the three kinds, as text

    def accepted(self, call: Call, transfer: str, amount: int, quote: str = "") -> None:
        self.history.end(
            call,
            "accepted",
            transfer_id=transfer,
            quote_id=quote or f"qt_{transfer}",
            source_minor=amount,
            status="FUNDS_HELD",
        )

    def pay(self, key: str, transfer: str, amount: int, *, begin: float, end: float) -> Call:
        call = self.at(begin).begin("pay", key)
        self.at(end).accepted(call, transfer, amount)
        return call

    def unknown(self, key: str, *, begin: float, end: float) -> None:
        call = self.at(begin).begin("pay", key)
        self.at(end).history.end(call, "unknown", code="TimeoutError")

    def saw(self, transfer: str, status: str, *, begin: float, end: float) -> None:
        call = self.at(begin).begin("read_transfer", transfer)
        self.at(end).history.end(call, "read", status=status)

    def looked(self, available: int, *, begin: float, end: float) -> None:
        call = self.at(begin).begin("read_wallet", "EUR")
        self.at(end).history.end(call, "read", available_minor=available)

    def ends(self, transfer: str, status: str, amount: int, *, paid: int | None = None, quote: str = "") -> None:
        counted = (status == "COMPLETED") if paid is None else paid
        self.final[transfer] = Final(transfer, quote or f"qt_{transfer}", status, amount, int(counted))
        if status in ("COMPLETED", "INSTRUCTED"):
            self.closing -= amount

    def anomalies(self) -> list[Anomaly]:
        self.at(100.0)
        return check(self.history, {WALLET: OPENING}, self.final, {WALLET: self.closing})


def honest() -> Scene:
    """Two payments, of which the first is asked twice, and the second comes back; and looks at every moment."""
    scene = Scene()
    scene.looked(10_000, begin=0, end=1)
    scene.unknown("k1", begin=1, end=3)
    scene.looked(7_000, begin=2, end=2.5)
    scene.pay("k1", "tr1", 3_000, begin=3, end=4)
    scene.saw("tr1", "INSTRUCTED", begin=5, end=6)
    scene.pay("k2", "tr2", 2_000, begin=5, end=7)
    scene.saw("tr2", "PENDING_RAIL", begin=7, end=8)
    scene.looked(5_000, begin=8, end=8.5)
    scene.saw("tr1", "COMPLETED", begin=8, end=9)
    scene.saw("tr2", "REFUNDED", begin=9, end=10)
    scene.looked(7_000, begin=10, end=11)
    scene.ends("tr1", "COMPLETED", 3_000)
    scene.ends("tr2", "REFUNDED", 2_000)
    return scene


def test_an_honest_history_has_no_anomaly() -> None:
    assert honest().anomalies() == []


def test_an_unknown_that_did_not_happen_is_no_anomaly() -> None:
    scene = Scene()
    scene.unknown("k1", begin=1, end=3)
    scene.looked(OPENING, begin=4, end=5)
    assert scene.anomalies() == []


def changed_answer(scene: Scene) -> None:
    scene.pay("k1", "tr1", 3_001, begin=12, end=13)


def second_transfer(scene: Scene) -> None:
    scene.pay("k1", "tr9", 3_000, begin=12, end=13)
    scene.ends("tr9", "COMPLETED", 3_000)


def second_of_one_quote(scene: Scene) -> None:
    scene.pay("k9", "tr9", 3_000, begin=12, end=13)
    scene.ends("tr9", "COMPLETED", 3_000, quote="qt_tr1")


def paid_twice(scene: Scene) -> None:
    scene.final["tr1"] = replace(scene.final["tr1"], paid=2)


def paid_and_refunded(scene: Scene) -> None:
    scene.final["tr2"] = replace(scene.final["tr2"], paid=1)


def completed_and_never_paid(scene: Scene) -> None:
    scene.final["tr1"] = replace(scene.final["tr1"], paid=0)


def lost(scene: Scene) -> None:
    del scene.final["tr1"]


def never_ended(scene: Scene) -> None:
    scene.pay("k9", "tr9", 100, begin=12, end=13)
    scene.ends("tr9", "INSTRUCTED", 100)


def unreadable(scene: Scene) -> None:
    call = scene.at(12).begin("read_transfer", "tr1")
    scene.at(13).history.end(call, "missing", code="transfer-not-found")


def balance_that_never_was(scene: Scene) -> None:
    scene.looked(6_000, begin=12, end=13)


def balance_too_late(scene: Scene) -> None:
    """What it was before a payment that had been answered long ago."""
    scene.looked(10_000, begin=6, end=6.5)


def money_gone(scene: Scene) -> None:
    scene.closing -= 1


def went_back(scene: Scene) -> None:
    scene.saw("tr1", "INSTRUCTED", begin=12, end=13)


def refused_with_enough(scene: Scene) -> None:
    call = scene.at(12).begin("pay", "k9")
    scene.at(13).history.end(call, "refused", code="insufficient-funds", source_minor=500)


PLANTED: Mapping[str, tuple[str, Callable[[Scene], None]]] = {
    "an answer that changed under the same key": ("changed answer", changed_answer),
    "two transfers under one key": ("double payment", second_transfer),
    "two transfers of one quote": ("double payment", second_of_one_quote),
    "a payment that the scheme made twice": ("double payment", paid_twice),
    "a payment that was made and given back": ("paid wrongly", paid_and_refunded),
    "a payment that was completed and not made": ("paid wrongly", completed_and_never_paid),
    "an accepted payment that is gone": ("lost payment", lost),
    "an accepted payment that could not be read": ("lost payment", unreadable),
    "an accepted payment that never ends": ("unfinished payment", never_ended),
    "a balance that never was": ("impossible balance", balance_that_never_was),
    "a balance of the past": ("impossible balance", balance_too_late),
    "a refusal for want of funds that were there": ("impossible balance", refused_with_enough),
    "money that is gone at the end": ("lost money", money_gone),
    "a transfer that goes back": ("went back", went_back),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_planted_is_found_and_shown_with_its_calls(planted: str) -> None:
    name, plant = PLANTED[planted]
    scene = honest()
    plant(scene)
    found = scene.anomalies()
    assert name in {one.name for one in found}, [str(one) for one in found]
    shown = next(one for one in found if one.name == name)
    assert shown.calls
    assert all(f"#{call.number} " in str(shown) for call in shown.calls)


def test_a_look_during_several_payments_may_see_any_of_them_and_no_other_sum() -> None:
    changes = [Change(0, -300, 0, 10, ""), Change(1, -70, 0, 10, ""), Change(2, 300, 2, 10, "")]
    for available in (1_000, 700, 930, 630, 1_300):
        wrong = WalletReplay(1_000).run(changes, [Look(1, 3, 4, available=available)])
        assert wrong is None, available
    assert WalletReplay(1_000).run(changes, [Look(1, 3, 4, available=950)]) is not None


def test_two_looks_must_agree_on_one_order() -> None:
    changes = [Change(0, -300, 0, 10, ""), Change(1, -70, 0, 10, "")]
    first, second = Look(1, 1, 2, available=700), Look(2, 3, 4, available=930)
    assert WalletReplay(1_000).run(changes, [first]) is None
    assert WalletReplay(1_000).run(changes, [second]) is None
    assert WalletReplay(1_000).run(changes, [first, second]) == second


def test_a_look_that_began_before_a_payment_was_answered_may_have_come_before_it() -> None:
    changes = [Change(0, -300, 0, 5, "")]
    assert WalletReplay(1_000).run(changes, [Look(1, 4, 6, available=1_000)]) is None
    assert WalletReplay(1_000).run(changes, [Look(1, 5.1, 6, available=1_000)]) is not None


def test_states_follow_each_other_as_the_lifecycle_says() -> None:
    assert may_follow("FUNDS_HELD", "COMPLETED")
    assert may_follow("COMPLETED", "COMPLETED")
    assert not may_follow("COMPLETED", "REFUNDED")
    assert not may_follow("PENDING_RAIL", "INSTRUCTED")
