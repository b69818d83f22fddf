"""What happens when the answer does not come: review, always, and in time."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence

import pytest

from cells.compliance.checker import DEADLINE_S, UNAVAILABLE, Review, Subject, Verdict, check_within
from cells.compliance.list_checker import open_list_checker

SUBJECTS = [Subject(f"pyr_{n}", "person", f"Annika Lindqvist {n}") for n in range(3)]


class SilentVendor:
    """Never answers."""

    def versions(self) -> Mapping[str, str]:
        return {"vendor": "1"}

    async def check(self, subjects: Sequence[Subject]) -> Sequence[Verdict]:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


class BrokenVendor(SilentVendor):
    """Fails, and repeats the name as it does."""

    async def check(self, subjects: Sequence[Subject]) -> Sequence[Verdict]:
        raise RuntimeError(f"cannot screen {subjects[0].name}")


class ForgetfulVendor(SilentVendor):
    """Answers for all but the last."""

    async def check(self, subjects: Sequence[Subject]) -> Sequence[Verdict]:
        return await open_list_checker().check(subjects[:-1])


@pytest.mark.parametrize(
    "vendor", [SilentVendor(), BrokenVendor(), ForgetfulVendor()], ids=lambda one: type(one).__name__
)
async def test_no_answer_is_a_review_for_everyone(vendor: SilentVendor, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        verdicts = await check_within(vendor, SUBJECTS, 0.05)
    assert [verdict.reason for verdict in verdicts if isinstance(verdict, Review)] == [UNAVAILABLE] * 3
    assert all(verdict.attestation.result == "review" for verdict in verdicts)
    assert "Annika" not in caplog.text
    assert caplog.text


async def test_the_deadline_is_half_a_second() -> None:
    assert DEADLINE_S == 0.5
    started = time.monotonic()
    [verdict] = await check_within(SilentVendor(), SUBJECTS[:1])
    assert isinstance(verdict, Review)
    assert time.monotonic() - started >= DEADLINE_S


async def test_the_lists_themselves_keep_the_deadline() -> None:
    """Screening in this very process gives way to its deadline: what it had found by then is not taken for the answer."""
    many = SUBJECTS * 100_000
    verdicts = await check_within(open_list_checker(), many, 0.1)
    assert len(verdicts) == len(many)
    assert isinstance(verdicts[0], Review)


async def test_the_caller_can_still_be_cancelled() -> None:
    asked = asyncio.create_task(check_within(SilentVendor(), SUBJECTS, 60))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked


async def test_nobody_is_nobody() -> None:
    assert await check_within(BrokenVendor(), []) == []
