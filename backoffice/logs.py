"""How logs are written: a line an event, JSON for machines or console for people. docs/logs.md has the fields.

The web server, a cluster and the exporter write them to stdout, where those who run them read. Other commands write
them to stderr: their stdout is for people, and for --json. This module imports no Django, because the web server's
first process runs without it.
"""

import json
import os
import sys
from functools import partial
from typing import Any

import msgspec
import structlog
from structlog.typing import EventDict, Processor

# Commands of manage.py that run until they are stopped.
SERVICES = ("cluster", "exporter")

_stream = "stderr"


def to_stdout() -> None:
    """For a process that serves: before the settings are loaded."""
    global _stream
    _stream = "stdout"


def configuration(*, level: str, form: str, handlers: dict[str, dict[str, Any]] | None = None) -> dict[str, Any]:
    """For logging.config.dictConfig; `handlers` come beside the one that writes lines."""
    line = {"class": "logging.StreamHandler", "formatter": "line", "stream": f"ext://sys.{_stream}"}
    handlers = {"line": line, **(handlers or {})}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter, "form": form}},
        "handlers": handlers,
        "root": {"handlers": list(handlers), "level": level},
        "loggers": {
            "django": {"level": level, "handlers": [], "propagate": True},
            "django.request": {"level": "ERROR"},
            "django.db.backends": {"level": "INFO"},
            "django-q": {"level": "WARNING", "handlers": [], "propagate": True},
            "axes": {"level": "WARNING"},
            "environ": {"level": "WARNING"},  # it tells what it reads
            # granian's, which has handlers of its own.
            "_granian": {"level": "WARNING", "handlers": [], "propagate": True},
        },
    }


def formatter(form: str) -> structlog.stdlib.ProcessorFormatter:
    """For lines of any logger: of structlog's, Django's, granian's."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(form),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendered(form)],
    )


def configure(form: str) -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(form),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _shared(form: str) -> list[Processor]:
    is_json = form == "json"
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso" if is_json else "%H:%M:%S", utc=is_json),
    ]


def _rendered(form: str) -> list[Processor]:
    if form == "json":
        # Frames' variables stay out of the logs: they may hold a card number.
        transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [structlog.processors.ExceptionRenderer(transformer), _as_json]
    stream = getattr(sys, _stream)
    return [
        structlog.dev.ConsoleRenderer(
            colors=bool(os.environ.get("FORCE_COLOR")) or stream.isatty(),
            exception_formatter=structlog.dev.plain_traceback,
        )
    ]


_encode = msgspec.json.Encoder(enc_hook=repr).encode
_with_escapes = partial(json.dumps, default=repr)


def _as_json(_logger: Any, _name: str, line: EventDict) -> str:
    """A third of the time of the standard library's, which takes what is no UTF-8."""
    try:
        return _encode(line).decode()
    except (UnicodeEncodeError, TypeError, ValueError):
        return _with_escapes(line)
