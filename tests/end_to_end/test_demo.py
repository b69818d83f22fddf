"""The demo's play on a real stack, once; then every promise that it makes."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cells.payments.watch import minted_at
from cells.reconciliation.report import TITLES
from router.cli.demo import show_all
from router.cli.demo_proofs import NEEDLES
from router.cli.demo_scenario import play
from router.cli.demo_story import Story
from tests.support.whole_stack import RunningStack

# The first of these waits for a whole stack and the whole play.
pytestmark = pytest.mark.timeout(400)
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def story(stack: RunningStack) -> Story:
    told = Story()
    asyncio.run(play(stack.home, stack.status.router_url, stack.sandbox.key, told))
    return told


def held(story: Story, words: str) -> bool:
    """Whether there are claims with these words, and all of them held."""
    found = [claim for claim in story.claims if words in claim.what]
    assert found, f"nobody claims {words!r}"
    return all(claim.held for claim in found)


def test_every_claim_held(story: Story) -> None:
    assert not story.broken
    assert len(story.claims) > 30


def test_the_stack_is_up_in_time(stack: RunningStack) -> None:
    assert stack.status.ready
    assert {part.cell for part in stack.status.parts} == {"eu-1", "uk-1", "id-1", "shared"}


def test_a_euro_wallet_pays_an_indonesian_account(story: Story) -> None:
    payment = story.payments[0]
    assert (payment.transfer.status, payment.transfer.rail) == ("COMPLETED", "bi_fast")
    assert payment.heard.type == "transfer.completed"
    assert payment.heard.data["target"] == payment.transfer.target.model_dump()


def test_every_room_of_the_path_is_timed(story: Story) -> None:
    assert story.journey is not None
    path = story.journey.path
    places = {(one.from_cell, one.cell, one.room) for one in path}
    assert places >= {
        ("eu-1", "eu-1", "door"), ("eu-1", "id-1", "border"), ("id-1", "id-1", "rail bi_fast"), ("id-1", "eu-1", "border"),
        ("eu-1", "eu-1", "webhook"),
    }  # fmt: skip
    assert sum(one.ms for one in path) == pytest.approx(
        (path[-1].until - minted_at(story.journey.transfer_id)).total_seconds() * 1000, abs=1
    )


@pytest.mark.parametrize(
    ("title", "status"),
    [
        ("EUR to EUR, in region", "COMPLETED"),
        ("GBP to IDR", "COMPLETED"),
        ("IDR to GBP", "COMPLETED"),
        ("EUR to IDR, refused by BI-FAST", "REFUNDED"),
    ],
)
def test_other_payments_end_as_they_should(story: Story, title: str, status: str) -> None:
    [payment] = [one for one in story.payments if one.title == title]
    assert payment.transfer.status == status
    assert payment.heard.data["status"] == status


def test_what_does_not_go_through_costs_nothing(story: Story) -> None:
    assert held(story, "restored to the cent")
    assert held(story, "refused: quote-expired")
    assert held(story, "refused: quote-used")


def test_money_arrives_by_three_rails(story: Story) -> None:
    for rail in ("sepa_instant", "faster_payments", "bi_fast"):
        assert held(story, f"arrived by {rail}")


def test_personal_data_stays_in_its_region(story: Story) -> None:
    assert held(story, "the search sees what is there")
    for label in NEEDLES:
        assert held(story, f"the {label} is nowhere in clear")
    assert held(story, "data is in one vault")
    assert held(story, "opens with the destination's key")


def test_the_books_and_both_customs_logs_agree(story: Story) -> None:
    assert held(story, "the quote's own integers")
    assert held(story, "what its ledger posted")
    assert held(story, "byte for byte")
    assert held(story, "customs chains hold")


@pytest.mark.parametrize("invariant", list(TITLES))
def test_every_invariant_holds_at_rest(story: Story, invariant: str) -> None:
    assert held(story, f"{invariant} {TITLES[invariant]}")


def test_the_journey_is_printed_without_a_terminal(
    stack: RunningStack, story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    show_all(story, stack.status)
    text = capsys.readouterr().out
    for words in (
        "rail bi_fast",
        "TENANT_WALLET",
        "REGIONAL_SETTLEMENT eu-1",
        "entries holds",
        "payer.name",
        "L10",
        "webhook eu-1",
    ):
        assert words in text
    assert "\x1b" not in text
    for name in NEEDLES.values():
        assert name not in text


def test_an_interrupted_demo_leaves_nothing(tmp_path: Path) -> None:
    """Also in the middle of starting, what was started is ended and what was written is removed."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
    environment.pop("KOVRA_PORT_BASE", None)
    with subprocess.Popen(
        [sys.executable, "-m", "router.cli.main", "demo"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as demo:  # fmt: skip
        assert demo.stdout is not None
        seen = ""
        for line in demo.stdout:
            seen += line
            if " ready in " in line:
                break
        children = psutil.Process(demo.pid).children(recursive=True)
        assert children, seen
        demo.send_signal(signal.SIGTERM)
        seen += demo.stdout.read()
        assert demo.wait(60) != 0
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert "no data is left" in seen
    assert not list(tmp_path.iterdir())
