"""Logs as lines of JSON: who, where, what, never about a person.

The standard library's loggers stay the interface, so that libraries log the same way. Two rules are kept here and not by goodwill: a
model with classed fields shows only what is Public or Confidential of it, and an exception shows its type and place, since its text
may quote what somebody typed.
"""

import logging
import sys
import traceback
from typing import Any, TextIO

import structlog
from pydantic import BaseModel
from structlog.typing import EventDict, WrappedLogger

from residency.classes import Class, classify

HIDDEN = "<personal>"


def configure(process: str, cell: str = "", stream: TextIO | None = None) -> None:
    """Send every logger of this process to `stream` (standard error) as JSON lines that name the process and the cell."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(process, cell),
        _exception_by_place,
        _without_persons,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
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


def _exception_by_place(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    info = event.pop("exc_info", None)
    if isinstance(info, tuple) and info[0] is not None:
        frames = traceback.extract_tb(info[2])
        event["error"] = info[0].__name__
        event["at"] = f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    return event
