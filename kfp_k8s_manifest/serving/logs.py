"""Logs as JSON, one object a line, for whatever collects them."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

__all__ = ["LOGGER", "log", "set_up"]

LOGGER = logging.getLogger("kfp_k8s_manifest.serving")


class _JsonFormatter(logging.Formatter):
    """Writes a record and its fields as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


class _WithoutTracebacks(logging.Filter):
    """Keeps what a client did wrong to one line; a traceback is for what we did wrong."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if record.exc_info else None
        if kind is not None and kind.__module__.startswith("aiohttp."):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.msg, record.args, record.exc_info = "bad request", (), None
            record.fields = {"reason": kind.__name__}
        return True


def set_up(level: str) -> None:
    """Send all logs of the process to standard error as JSON.

    Args:
        level: The least severity that is logged, such as `info`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("aiohttp.server").addFilter(_WithoutTracebacks())
    # asyncio reports every failed TLS handshake of a stranger as an error with a traceback.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)


def log(level: int, message: str, /, **fields: Any) -> None:
    """Write one log entry.

    Args:
        level: Such as `logging.INFO`.
        message: A constant text, so that entries can be counted by it.
        fields: What differs from entry to entry.
    """
    LOGGER.log(level, message, extra={"fields": fields})
