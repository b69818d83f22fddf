"""What each answer of SNAP means: final only where the standard says so."""

import pytest

from cells.rails.profile_files import rail_profiles
from cells.rails.snap import codes
from cells.rails.snap.connector import amount, external_id

# The standard's list of response codes: the cases of each HTTP status.
LISTED = {
    200: range(1),
    202: range(1),
    400: range(3),
    401: range(5),
    403: range(24),
    404: range(20),
    405: range(2),
    409: range(2),
    429: range(1),
    500: range(3),
    504: range(1),
}


def meanings(service: str = "18") -> dict[str, str]:
    listed = [f"{status}{service}{case:02d}" for status, cases in LISTED.items() for case in cases]
    return {code: codes.transfer_meaning(int(code[:3]), code) for code in listed}


def test_one_code_settles_and_no_other() -> None:
    assert [code for code, meaning in meanings().items() if meaning == "settled"] == ["2001800"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("4001801", "CH16"),
        ("4031802", "AM02"),
        ("4031803", "RR04"),
        ("4031805", "MS03"),
        ("4031807", "AC06"),
        ("4031814", "AM04"),
        ("4031818", "AC04"),
        ("4041803", "CNOR"),
        ("4041811", "AC01"),
    ],
)
def test_a_refusal_has_its_iso_reason(code: str, reason: str) -> None:
    assert codes.transfer_meaning(int(code[:3]), code) == ":" + reason
    assert codes.refusal_meaning(code) == ":" + reason


def test_every_refusal_is_a_known_reason_and_final() -> None:
    reasons = {meaning[1:] for meaning in meanings().values() if meaning.startswith(":")}
    assert reasons <= set(rail_profiles()["bi_fast"].reasons)


@pytest.mark.parametrize("code", ["4091800", "4091801", "4041818", "2021800"])
def test_a_duplicate_is_asked_after(code: str) -> None:
    assert codes.transfer_meaning(int(code[:3]), code) == "pending"


@pytest.mark.parametrize(
    "code", ["4001800", "4041800", "4051800", "4051801", "5001800", "5001801", "5001802", "5041800"]
)
def test_what_says_nothing_of_the_payment_leaves_it_in_doubt(code: str) -> None:
    assert codes.transfer_meaning(int(code[:3]), code) == "unknown"


def test_only_what_is_refused_unread_may_be_sent_again_as_new() -> None:
    not_taken = {code for code, meaning in meanings().items() if meaning == "not_taken"}
    assert not_taken == {"4011800", "4011801", "4011803", "4291800"}


@pytest.mark.parametrize(
    ("status", "code"),
    [(200, "2003600"), (200, "4031818"), (403, "2001800"), (200, ""), (200, "200180"), (200, "20018000")],
)
def test_a_code_that_is_not_its_answers_own_is_unknown(status: int, code: str) -> None:
    assert codes.transfer_meaning(status, code) == "unknown"


def test_the_latest_status() -> None:
    said = [codes.status_meaning(f"{number:02d}") for number in range(9)]
    assert said[:4] == ["settled", "pending", "pending", "pending"]
    assert said[4:] == ["contradiction", "refused", "refused", "not_found", "unknown"]


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("", ":MS03"),
        ("2021800", ":MS03"),
        ("5041800", ":MS03"),
        ("5001801", ":MS03"),
        ("4031818", ":AC04"),
        ("2001800", "contradiction"),
        ("4091800", "pending"),
        ("4091801", "pending"),
        ("4041818", "pending"),
        ("4041801", "not_found"),
        ("4031804", "unknown"),
        ("4031899", "unknown"),
        ("4032018", "unknown"),
        ("None", "unknown"),
        ("40318", "unknown"),
    ],
)
def test_a_refused_status_ends_a_payment_only_where_its_code_lets_it(code: str, meaning: str) -> None:
    assert codes.refusal_meaning(code) == meaning


def test_what_an_inquiry_is_answered() -> None:
    assert codes.inquiry_meaning(200, "2003600") == "settled"
    assert codes.inquiry_meaning(404, "4043601") == "not_found"
    assert codes.inquiry_meaning(401, "4013601") == "not_taken"
    # No refusal of the inquiry is one of the payment.
    assert {codes.inquiry_meaning(int(code[:3]), code) for code in meanings("36")} == {
        "settled",
        "not_found",
        "not_taken",
        "unknown",
    }


def test_amounts_and_external_ids() -> None:
    assert amount(1_000_000, "IDR") == {"value": "10000.00", "currency": "IDR"}
    assert amount(100, "IDR") == {"value": "1.00", "currency": "IDR"}
    first, second = external_id("tr-id1-1"), external_id("tr-id1-2")
    assert first == external_id("tr-id1-1") != second
    assert first.isdecimal()
    assert len(first) == len(second) == 32
