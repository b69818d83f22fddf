"""Logs as lines of JSON: who, where, what, never about a person.

The standard library's loggers stay the interface, so that libraries log the same way. Two rules are kept here and not by goodwill: a
model with classed fields shows only what is Public or Confidential of it, and an exception shows its type and place, since its text
may quote what somebody typed. Of what a library logs, the words that stand in its source are shown and what it puts into them is not: asyncio
writes the reprs of tasks and their exceptions into its texts, uvicorn whole tracebacks, and a warning may say anything.
"""

import logging
import re
import sys
import traceback
import warnings
from types import FrameType
from typing import Any, TextIO

import structlog
from pydantic import BaseModel
from structlog.typing import EventDict, WrappedLogger

from residency.classes import Class, classify

HIDDEN = "<personal>"
# Our own loggers. What they say is written here, and reviewed.
_OURS = ("kovra", "migrations", "test")
_LOG = logging.getLogger("kovra.log")
_PLACEHOLDER = re.compile(r"%(?:\([^)]*\))?[-#0 +]*(?:\*|[0-9]+)?(?:\.(?:\*|[0-9]+))?[a-zA-Z%]")


def configure(process: str, cell: str = "", stream: TextIO | None = None) -> None:
    """Send every logger of this process to `stream` (standard error) as JSON lines that name the process and the cell."""
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
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    warnings.showwarning = _warned
    for noisy in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


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
    """What cannot be logged is said without its words: the library would print them, and its arguments."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            record.worded = _words(record)
        except Exception:  # noqa: BLE001 - a text and its arguments that do not fit each other
            self.handleError(record)
            return
        super().emit(record)

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


def _exception_by_place(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    info = event.pop("exc_info", None)
    if isinstance(info, tuple) and info[0] is not None:
        frames = traceback.extract_tb(info[2])
        event["error"] = info[0].__name__
        event["at"] = f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    return event
