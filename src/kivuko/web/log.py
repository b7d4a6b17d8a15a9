"""The log: a JSON object a line on stderr."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

LOGGER = logging.getLogger("kivuko.web")


class JsonLines(logging.Formatter):
    """Writes a record with the fields that came in `extra={"fields": ...}`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)  # ASCII: no byte of a caller's reaches a terminal as it is


def log(event: str, *, level: int = logging.INFO, failed: bool = False, **fields: Any) -> None:
    """Write an event; with the traceback of the exception in hand if something `failed`."""
    LOGGER.log(logging.ERROR if failed else level, event, exc_info=failed, extra={"fields": fields})


@contextmanager
def logging_to_stderr() -> Iterator[None]:
    """Send the service's and the server's log to stderr as JSON lines, as long as this lasts."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    loggers = {logging.getLogger("kivuko.web"): logging.INFO, logging.getLogger("uvicorn"): logging.WARNING}
    before = [(logger, logger.handlers, logger.propagate, logger.level) for logger in loggers]
    for logger, level in loggers.items():
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, handlers, propagate, level in before:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
