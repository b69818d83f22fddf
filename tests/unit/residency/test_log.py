"""What a log line holds, and what it can never hold."""

import asyncio
import gc
import io
import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import dedent
from typing import Annotated

import pytest

from cells.parties.models import Address, PayerDetails
from residency import log
from residency.classes import Confidential, Personal, Public

PERSON, IBAN = "Astrid Lindqvist-Marker", "DE89370400440532013000"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    shows = warnings.showwarning
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    stream = io.StringIO()
    log.configure("test", "eu-1", stream)
    yield stream
    root.handlers[:], root.level = before
    warnings.showwarning = shows
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks


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


@dataclass(frozen=True, slots=True)
class Step(log.Line):
    transfer_id: Annotated[str, Public]
    amount: Annotated[int, Confidential]
    code: Annotated[str, Public] = ""


def test_a_line_with_a_personal_or_unmarked_field_cannot_be_defined() -> None:
    for hint in (Annotated[str, Personal], str, Annotated[str, "words"], Annotated[str, Public, Personal]):
        with pytest.raises(TypeError, match="name is not marked"):
            type("Named", (log.Line,), {"__annotations__": {"name": hint}})


def test_a_batch_of_lines_is_written_at_once(written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[str] = []
    monkeypatch.setattr(written, "write", writes.append)
    log.facts(logging.getLogger("kovra.test"), logging.INFO, "step", [Step(f"tr_{one}", one) for one in range(3)])
    [text] = writes
    found = [json.loads(line) for line in text.splitlines()]
    assert [one["transfer_id"] for one in found] == ["tr_0", "tr_1", "tr_2"]
    assert {(one["event"], one["process"], one["cell"], one["level"]) for one in found} == {
        ("step", "test", "eu-1", "info")
    }
    assert found[0]["timestamp"].endswith("Z")


def test_lines_are_read_in_a_terminal(monkeypatch: pytest.MonkeyPatch, written: io.StringIO) -> None:
    """And what a log is sent to decides, unless the settings say."""
    monkeypatch.setattr(written, "isatty", lambda: True)
    log.configure("test", "eu-1", written)
    log.facts(logging.getLogger("kovra.test"), logging.INFO, "step", [Step("tr_1", 7)])
    logging.getLogger("kovra.test").warning("it waits")
    [first, second] = written.getvalue().splitlines()
    assert "transfer_id=tr_1" in first
    assert "code" not in first
    assert "it waits" in second
    monkeypatch.setenv(log.FORMAT_VARIABLE, "json")
    log.configure("test", "eu-1", written)
    logging.getLogger("kovra.test").warning("it waits")
    assert json.loads(written.getvalue().splitlines()[2])["event"] == "it waits"


def test_levels_are_set_by_logger(monkeypatch: pytest.MonkeyPatch, written: io.StringIO) -> None:
    monkeypatch.setenv(log.LEVEL_VARIABLE, "warning, kovra.test.steps=debug")
    log.configure("test", "eu-1", written)
    try:
        logging.getLogger("kovra.test").info("not written")
        log.facts(logging.getLogger("kovra.test"), logging.INFO, "not written", [Step("tr_1", 7)])
        log.facts(logging.getLogger("kovra.test.steps"), logging.DEBUG, "step", [Step("tr_1", 7)])
        assert [one["event"] for one in lines(written)] == ["step"]
    finally:
        logging.getLogger("kovra.test.steps").setLevel(logging.NOTSET)


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        (log.LEVEL_VARIABLE, "loud"),
        (log.LEVEL_VARIABLE, "=info"),
        (log.LEVEL_VARIABLE, "a=b=c"),
        (log.FORMAT_VARIABLE, "xml"),
    ],
)
def test_settings_that_cannot_be_read_are_refused(monkeypatch: pytest.MonkeyPatch, variable: str, said: str) -> None:
    monkeypatch.setenv(variable, said)
    with pytest.raises(log.LogSettingsInvalid, match=variable):
        log.configure("test", stream=io.StringIO())


@pytest.mark.parametrize(
    ("code", "event"),
    [
        ("raise ValueError(PERSON)", "the process ends: ValueError at"),
        ("raise ValueError('x') from KeyError(PERSON)", "the process ends: ValueError at"),
        ("raise ExceptionGroup(PERSON, [ValueError(PERSON)])", "the process ends: ExceptionGroup at"),
        ("threading.Thread(target=int, args=(PERSON,), name=PERSON).run", ""),
        ("t = threading.Thread(target=int, args=(PERSON,), name=PERSON); t.start(); t.join()", "a thread ends: ValueError at"),
        ("class D:\n  def __del__(self): raise ValueError(PERSON)\nD()", "nobody could catch it: ValueError at"),
        ("async def f(): asyncio.create_task(g()); await asyncio.sleep(0.01)\nasync def g(): raise ValueError(PERSON)\nasyncio.run(f())", ""),
        ("async def f(): asyncio.get_running_loop().call_soon(int, PERSON); await asyncio.sleep(0.01)\nasyncio.run(f())", ""),
        ("import uvloop\nasync def f(): asyncio.get_running_loop().call_soon(int, PERSON); await asyncio.sleep(0.01)\nuvloop.run(f())", ""),
        ("async def f(): await asyncio.to_thread(int, PERSON)\nasyncio.run(f())", "the process ends: ValueError"),
        ("with log.refusing_to_start(): int(PERSON)", "the process ends: ValueError at"),
        ("warnings.warn(PERSON)", "UserWarning at"),
        ("logging.getLogger('x').error('%d', PERSON)", "…"),
    ],
)  # fmt: skip
def test_whatever_ends_a_process_or_a_part_of_it_shows_no_person(code: str, event: str) -> None:
    head = f"""
        import asyncio, logging, threading, warnings
        from residency import log
        log.configure("test")
        PERSON = {PERSON!r}
    """
    ran = subprocess.run([sys.executable, "-c", dedent(head) + code], capture_output=True, text=True, check=False)
    assert ran.stdout == ""
    found = [json.loads(line) for line in ran.stderr.splitlines()]
    assert PERSON not in ran.stderr
    assert not event or found[0]["event"].startswith(event), found


def test_what_is_wrong_with_the_settings_is_for_the_operator_to_read() -> None:
    code = "from residency import log\nfrom residency.errors import KovraError\nlog.configure('test')\n"
    code += "with log.refusing_to_start(): raise KovraError('Cannot read cell.json.')"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (1, "Something went wrong: Cannot read cell.json.\n")
