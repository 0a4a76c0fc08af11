"""Structured logs: one JSON object a line (or text for people), with what is being reconciled bound to it."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_bound: ContextVar[Mapping[str, Any]] = ContextVar("nxc_log_context", default=_NOTHING)


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Have every record of this task carry these fields (kind, namespace, name, generation, reconcileID)."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def context() -> Mapping[str, Any]:
    """The fields bound now."""
    return _bound.get()


class _Bind(logging.Filter):
    """Copies the bound fields to each record; a filter, since it runs in the task that logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.nxc = dict(_bound.get())
        return True


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "nxc", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        fields = getattr(record, "nxc", {})
        about = " ".join(str(fields[name]) for name in ("kind", "namespace", "name") if fields.get(name))
        text = f"{time} {record.levelname.lower():7} {f'[{about}] ' if about else ''}{record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def configure(*, level: str = "info", style: str = "text") -> None:
    """Log to standard error. `style`: `text` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if style == "json" else _Text())
    handler.addFilter(_Bind())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("aiohttp.access", "asyncio", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # kopf logs each event at INFO, and each of its nine tries of a request with the whole answer at ERROR; what
    # a reader needs of that, that the server does not answer and that a watch has ended, our own modules say
    logging.getLogger("kopf").setLevel(logging.DEBUG if level == "debug" else logging.CRITICAL)
