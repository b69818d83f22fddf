"""What a log line holds, and what it can never hold."""

import asyncio
import gc
import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest

from cells.kit import log
from cells.parties.models import Address, PayerDetails

PERSON, IBAN = "Astrid Lindqvist-Marker", "DE89370400440532013000"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    shows = warnings.showwarning
    stream = io.StringIO()
    log.configure("test", "eu-1", stream)
    yield stream
    root.handlers[:], root.level = before
    warnings.showwarning = shows


def test_a_line_names_process_cell_logger_and_time(written: io.StringIO) -> None:
    logging.getLogger("kovra.test").warning("%s cannot be exported", "tr_eu1_x")
    found = json.loads(written.getvalue())
    assert found["event"] == "tr_eu1_x cannot be exported"
    assert (found["process"], found["cell"], found["logger"], found["level"]) == (
        "test",
        "eu-1",
        "kovra.test",
        "warning",
    )
    assert found["timestamp"].endswith("Z")


def test_an_exception_shows_its_type_and_place_and_not_its_words(written: io.StringIO) -> None:
    try:
        raise ValueError("Astrid Lindqvist-Marker is not a number")
    except ValueError:
        logging.getLogger("kovra.test").exception("could not read a field")
    assert "Astrid" not in written.getvalue()
    found = json.loads(written.getvalue())
    assert found["error"] == "ValueError"
    assert found["at"].startswith("test_log.py:")


def test_a_model_shows_nothing_personal() -> None:
    payer = PayerDetails(name="Astrid Lindqvist-Marker", address=Address(town="Lund", country="SE"))
    assert "Astrid" not in str(log.shown({"payer": payer}))
    assert log.shown({"payer": payer})["payer"]["name"] == log.HIDDEN


def lines(written: io.StringIO) -> list[dict[str, str]]:
    text = written.getvalue()
    assert PERSON not in text
    assert IBAN not in text
    return [json.loads(line) for line in text.splitlines()]


async def test_what_asyncio_says_of_a_task_shows_no_person(written: io.StringIO) -> None:
    async def fails(name: str) -> None:
        raise ValueError(f"{name} has no account {IBAN}")

    task = asyncio.create_task(fails(PERSON), name=PERSON)
    await asyncio.wait([task])
    del task
    gc.collect()
    asyncio.get_running_loop().call_exception_handler({"message": f"of {PERSON}", "exception": ValueError(IBAN)})
    [never, handled] = lines(written)
    assert (never["error"], never["logger"]) == ("ValueError", "asyncio")
    assert never["event"].startswith("base_events:")
    assert handled["error"] == "ValueError"


def test_what_a_library_says_shows_its_own_words_alone(written: io.StringIO) -> None:
    # No name that another test's server sets up for itself.
    other = logging.getLogger("some.library")
    other.error("Exception in ASGI application\n")
    other.warning("Started %s of %s: 100%%", PERSON, 7)
    other.error("Traceback: " + PERSON.title())
    other.error(f"{PERSON} at {IBAN}")
    other.error(ValueError(PERSON))
    told = [one["event"] for one in lines(written)]
    assert told[:2] == ["Exception in ASGI application", "Started … of …: 100%"]
    assert all("test_what_a_library_says" in one for one in told[2:])


def test_an_exception_among_our_own_words_is_shown_by_its_kind(written: io.StringIO) -> None:
    logging.getLogger("kovra.test").error("failed: %s", ValueError(PERSON))
    bad = logging.LogRecord("kovra.test", logging.ERROR, __file__, 1, "failed: %d", (PERSON,), None)
    logging.getLogger().handlers[0].handle(bad)
    assert lines(written)[0]["event"] == "failed: ValueError"
    assert lines(written)[1]["error"] == "TypeError"


def test_a_warning_shows_its_kind_and_place(written: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = log._warned
        warnings.warn(f"{PERSON} is deprecated", DeprecationWarning, stacklevel=1)
    [found] = lines(written)
    assert found["event"].startswith("DeprecationWarning at test_log.py:")
