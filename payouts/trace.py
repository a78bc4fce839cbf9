"""The request ID that ties a request's log lines, events and provider calls together."""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

current: ContextVar[str] = ContextVar("trace_id", default="")

ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,128}")


def taken_or_made(proposed: str | None) -> str:
    """The caller's ID when it is 1 to 128 of `[A-Za-z0-9._-]`, otherwise a new one of 32 hex digits."""
    if proposed and ACCEPTED.fullmatch(proposed):
        return proposed
    return uuid.uuid4().hex


@contextmanager
def of(request_id: str) -> Iterator[None]:
    """What this thread does within belongs to that request."""
    token = current.set(request_id)
    try:
        yield
    finally:
        current.reset(token)
