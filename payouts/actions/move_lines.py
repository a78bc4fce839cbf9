"""The log's line of each move, once it is committed: a line that stands there is true."""

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from django.db import transaction

from payouts.models import Event

log = structlog.get_logger(__name__)
_level = logging.getLogger(__name__)

type Told = tuple[Event, datetime | None]
"""An event, and since when the payout had been as it was before; None: it had not been."""


def when_committed(moves: Sequence[Told]) -> None:
    """Say of each move what, by whom and about which attempt, in numbers; `duration_ms` is how long the payout had
    been as it was before."""
    if _level.isEnabledFor(logging.INFO):
        transaction.on_commit(partial(_say, moves), robust=True)


def _say(moves: Sequence[Told]) -> None:
    for event, since in moves:
        log.info("payout_moved", **_line(event, since))


def _line(event: Event, since: datetime | None) -> dict[str, Any]:
    payout, facts = event.payout, event.facts
    line = {
        "payout": payout.pk,
        "move": event.event,
        "from_status": event.from_status,
        "to_status": event.to_status,
        "client": payout.client_id,
        "person": event.person_id,
        "provider": facts.get("provider", payout.provider),
        "attempt": facts.get("attempt"),
        "code": facts.get("code"),
        "request_id": event.trace_id or None,
        "duration_ms": round((event.at - since).total_seconds() * 1000) if since else 0,
    }
    return {name: value for name, value in line.items() if value is not None}
