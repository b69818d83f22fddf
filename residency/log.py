"""Logs of every process, as lines of JSON or as lines to read: who, where, what, never about a person.

The standard library's loggers stay the interface, so that libraries log the same way. What happens often is logged by `facts`: lines of
one type, written together, at a tenth of the cost of a text. KOVRA_LOG_FORMAT is `json` or `text`; without it a terminal is
shown text, and a file or pipe gets JSON. KOVRA_LOG_LEVEL is the lowest level that is written, by logger where it names one:
`info` (the default), or `warning,kovra.requests=info`.

Three rules are kept here and not by goodwill: a line of `facts` with a field that is Personal or unmarked cannot be defined; a
model with classed fields shows only what is Public or Confidential of it, and an exception shows its type and place, since its text
may quote what somebody typed. Of what a library logs, the words that stand in its source are shown and what it puts into them is not: asyncio
writes the reprs of tasks and their exceptions into its texts, uvicorn whole tracebacks, and a warning may say anything.
"""

import logging
import os
import re
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType, TracebackType
from typing import Annotated, Any, TextIO, get_origin, get_type_hints

import orjson
import structlog
from pydantic import BaseModel
from structlog.typing import EventDict, WrappedLogger

from residency.classes import Class, classify
from residency.errors import KovraError, place_of

FORMAT_VARIABLE = "KOVRA_LOG_FORMAT"
LEVEL_VARIABLE = "KOVRA_LOG_LEVEL"
# Libraries that log each of their steps.
_NOISY = ("httpx", "httpcore", "asyncio")

HIDDEN = "<personal>"
# Our own loggers. What they say is written here, and reviewed.
_OURS = ("kovra", "migrations", "test")
_LOG = logging.getLogger("kovra.log")
_PLACEHOLDER = re.compile(r"%(?:\([^)]*\))?[-#0 +]*(?:\*|[0-9]+)?(?:\.(?:\*|[0-9]+))?[a-zA-Z%]")


class LogSettingsInvalid(KovraError):
    code = "log-settings-invalid"
    title = "The settings of the log cannot be read"


class Line:
    """The fields of one log line, as a dataclass; each marked Public or Confidential. Raises TypeError where it is defined."""

    def __init_subclass__(cls) -> None:
        for name, hint in get_type_hints(cls, include_extras=True).items():
            marks = hint.__metadata__ if get_origin(hint) is Annotated else ()
            if Class.PERSONAL in marks or not {Class.PUBLIC, Class.CONFIDENTIAL} & set(marks):
                raise TypeError(f"{cls.__name__}.{name} is not marked as something that a log may hold")


def facts(logger: logging.Logger, level: int, event: str, lines: Sequence[Line]) -> None:
    """Log a batch of lines of one kind with one write."""
    if lines and logger.isEnabledFor(level):
        record = logger.makeRecord(logger.name, level, "", 0, event, (), None)
        record.lines = lines
        logger.handle(record)


def configure(process: str, cell: str = "", stream: TextIO | None = None) -> None:
    """Send every logger of this process to `stream` (standard error), naming the process and the cell; so too what ends it, or a
    thread of it. Every process of the house does this first (tests/architecture/test_logs.py). Raises LogSettingsInvalid."""
    into = stream or sys.stderr
    as_text = _as_text(os.environ.get(FORMAT_VARIABLE, ""), into)
    levels = _levels(os.environ.get(LEVEL_VARIABLE, ""))
    renderer: Any = structlog.dev.ConsoleRenderer(colors=False) if as_text else structlog.processors.JSONRenderer()
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(process, cell),
        _worded,
        _exception_by_place,
        _without_persons,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        use_get_message=False,
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = _Handler(into, {"process": process} | ({"cell": cell} if cell else {}), renderer if as_text else None)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    warnings.showwarning = _warned
    sys.excepthook = _died
    sys.unraisablehook = _unraisable
    threading.excepthook = _thread_died
    for name, level in (dict.fromkeys(_NOISY, logging.WARNING) | {"": logging.INFO} | levels).items():
        logging.getLogger(name).setLevel(level)


def _as_text(said: str, stream: TextIO) -> bool:
    if said not in ("", "json", "text"):
        raise LogSettingsInvalid(f"{FORMAT_VARIABLE} is {said!r}; write json or text.")
    return said == "text" or (not said and stream.isatty())


def _levels(said: str) -> dict[str, int]:
    """By logger, "" for all others."""
    found, known = {}, logging.getLevelNamesMapping()
    for one in filter(None, (part.strip() for part in said.split(","))):
        name, given, level = one.rpartition("=")
        if level.upper() not in known or (given and not name):
            raise LogSettingsInvalid(
                f"{LEVEL_VARIABLE} has {one!r}; write a level (debug, info, warning, error, critical), or logger=level."
            )
        found[name] = known[level.upper()]
    return found


def shown(value: Any) -> Any:
    """`value` as a log may hold it: of a model, only the fields that are marked Public or Confidential."""
    if isinstance(value, BaseModel):
        classes = classify(type(value))
        return {
            name: shown(getattr(value, name)) if classes[name] in (Class.PUBLIC, Class.CONFIDENTIAL) else HIDDEN
            for name in type(value).model_fields
        }
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    return value


def _named(process: str, cell: str) -> Any:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["process"] = process
        if cell:
            event["cell"] = cell
        return event

    return add


def _without_persons(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {key: shown(value) if not key.startswith("_") else value for key, value in event.items()}


class _Handler(logging.StreamHandler[TextIO]):
    """What cannot be logged is said without its words: the library would print them, and its arguments. `shown`: how a line is made a
    text; None for JSON."""

    def __init__(self, stream: TextIO, named: dict[str, str], shown: Any) -> None:
        super().__init__(stream)
        self._named, self._shown = named, shown

    def emit(self, record: logging.LogRecord) -> None:
        lines = getattr(record, "lines", None)
        if lines is not None:
            try:
                self.stream.write(self._written(record, lines))
                self.flush()
            except Exception:  # noqa: BLE001 - as the library does: a log that cannot be written stops nobody
                self.handleError(record)
            return
        try:
            record.worded = _words(record)
        except Exception:  # noqa: BLE001 - a text and its arguments that do not fit each other
            self.handleError(record)
            return
        super().emit(record)

    def _written(self, record: logging.LogRecord, lines: Sequence[Line]) -> str:
        head = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.msg,
            **self._named,
        }
        if self._shown is not None:
            return "".join(self._read(head, one) for one in lines)
        # The head is the same for all: each line is two pieces of JSON put together.
        opening = orjson.dumps(head)[:-1] + b","
        return b"".join([opening + orjson.dumps(one)[1:] + b"\n" for one in lines]).decode()

    def _read(self, head: dict[str, str], line: Line) -> str:
        """A line as a person reads it: what it has nothing to say of is left out."""
        said = {name: value for name, value in orjson.loads(orjson.dumps(line)).items() if value not in ("", None)}
        return f"{self._shown(None, '', head | said)}\n"

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        kind = sys.exc_info()[0]
        self.stream.write(f'{{"event": "a line could not be logged", "error": "{kind.__name__ if kind else ""}"}}\n')


def _words(record: logging.LogRecord) -> str:
    """What a record says, without what a library put into it."""
    if record.name.partition(".")[0] in _OURS:
        arguments = record.args
        if isinstance(arguments, tuple):
            arguments = tuple(type(one).__name__ if isinstance(one, BaseException) else one for one in arguments)
        return str(record.msg) % arguments if arguments else str(record.msg)
    if isinstance(record.msg, str) and _is_literal(record):
        return _PLACEHOLDER.sub(lambda found: "%" if found[0] == "%%" and record.args else "…", record.msg).strip()
    return f"{record.module}:{record.lineno} {record.funcName}"


def _is_literal(record: logging.LogRecord) -> bool:
    """Whether the text stands as it is in the code that logs it."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_lineno == record.lineno and frame.f_code.co_filename == record.pathname:
            return record.msg in frame.f_code.co_consts
        frame = frame.f_back
    return False


def _worded(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    record = event.get("_record")
    if record is not None:
        event["event"] = record.worded
    return event


def _warned(
    message: Warning | str,  # noqa: ARG001 - never shown
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001 - the log is where it goes
    line: str | None = None,  # noqa: ARG001
) -> None:
    """A warning by its kind and place."""
    _LOG.warning("%s at %s:%s", category.__name__, filename.rsplit("/", 1)[-1], lineno)


def _died(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    """What ends the process: its kind and place, in place of a traceback with its words."""
    if not issubclass(kind, KeyboardInterrupt):
        _LOG.critical("the process ends: %s", place_of(error))


def _thread_died(found: threading.ExceptHookArgs) -> None:
    if found.exc_value is not None and not isinstance(found.exc_value, SystemExit):
        _LOG.critical("a thread ends: %s", place_of(found.exc_value))


def _unraisable(found: "sys.UnraisableHookArgs") -> None:
    """What is raised where nobody can catch it, as in a finalizer."""
    if found.exc_value is not None:
        _LOG.error("nobody could catch it: %s", place_of(found.exc_value))


@contextmanager
def refusing_to_start() -> Iterator[None]:
    """What is wrong with the settings that a process reads at its start is for its operator, who reads it on standard error."""
    try:
        yield
    except KovraError as error:
        sys.exit(f"{error.title}: {error.detail}")


def _exception_by_place(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    info = event.pop("exc_info", None)
    if isinstance(info, tuple) and info[0] is not None:
        frames = traceback.extract_tb(info[2])
        event["error"] = info[0].__name__
        event["at"] = f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    return event
