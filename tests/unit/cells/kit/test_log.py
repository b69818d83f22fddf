"""What a log line holds, and what it can never hold."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from cells.kit import log
from cells.parties.models import Address, PayerDetails


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    log.configure("test", "eu-1", stream)
    yield stream
    root.handlers[:], root.level = before


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
