"""Times that can be held, and times that Python could not say in UTC."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from residency.instants import Instant, in_utc
from residency.messages import Settled
from router.cli.choices import NoMoment, moment

# What the database's driver takes for -infinity and infinity.
_INFINITE = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z")
OUT_OF_RANGE = ("9999-12-31T23:59:59-01:00", "9999-12-31T12:00:00-12:00", "0001-01-01T00:00:00+01:00", *_INFINITE)
_SETTLED = {
    "transfer_id": "tr_eu1_06l2r0k8q5o7t3v1a9c4e6g8io", "instruction_hash": "0" * 64, "currency": "IDR", "amount_minor": 1,
    "rail": "bi_fast", "scheme_reference": "X",
}  # fmt: skip


@pytest.mark.parametrize("text", OUT_OF_RANGE)
def test_a_time_outside_the_years_1_to_9999_is_refused_as_a_field_in_a_message_and_at_the_command_line(
    text: str,
) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        in_utc(datetime.fromisoformat(text))
    with pytest.raises(ValidationError, match="years 1 to 9999"):
        TypeAdapter(Instant).validate_python(text)
    with pytest.raises(ValidationError, match="settled_at"):
        Settled.model_validate({**_SETTLED, "settled_at": datetime.fromisoformat(text)})
    with pytest.raises(NoMoment):
        moment(text)


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59+14:00", "0001-01-01T00:00:00-12:00"])
def test_the_last_and_the_first_instants_are_held_in_utc(text: str) -> None:
    at = TypeAdapter(Instant).validate_python(text)
    assert at.tzinfo is UTC
    assert at == datetime.fromisoformat(text) == moment(text)
    assert Settled.model_validate({**_SETTLED, "settled_at": at}).settled_at == at
