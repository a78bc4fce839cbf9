"""Recipients in clear: each time somebody sees one, the payout's history says so, and nobody sees very many.

Who has seen REVEALS_A_MINUTE within a minute, or REVEALS_A_DAY within a day, sees no more until that is over, and is
on the start page for a day. A stolen key or session is then worth that many recipients.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from payouts import rules, vault
from payouts.actions.approvals import unreadable
from payouts.actions.errors import PayoutError, refuse_if
from payouts.actions.moves import Actor, actor_name, locked, move_one
from payouts.models import ApiClient, Event, EventName
from payouts.rules import Standing
from payouts.states import Status

log = structlog.get_logger(__name__)

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class TooManyRevealsError(PayoutError):
    """This person or client has seen as many recipients as anybody may for now."""

    def __init__(self, window: timedelta) -> None:
        super().__init__(
            _("You have seen as many recipients as anybody may within a minute. Your colleagues are told of it.")
            if window == MINUTE
            else _("You have seen as many recipients as anybody may within a day. Your colleagues are told of it.")
        )
        self.retry_after_seconds = 60 if window == MINUTE else 3_600


@dataclass(frozen=True, slots=True)
class ManySeen:
    """Somebody, as the history names them, who reached a limit within the last day."""

    actor: str
    count: int
    last_at: datetime


def reveal(payout_id: int, *, by: Actor, reason: str) -> dict[str, Any]:
    """The recipient in clear, and an event that says who saw it and why. Raises TooManyRevealsError."""
    with transaction.atomic():
        _require_room(by)
        with locked(payout_id, by=by) as (payout, at):
            who = Standing(at=at, is_active=isinstance(by, ApiClient) or by.is_active)
            refuse_if(rules.why_not_reveal(payout, who), payout)
            try:
                recipient = payout.recipient_details
            except vault.UnreadableError as error:
                raise unreadable(payout) from error
            move_one(payout, EventName.REVEALED, Status(payout.status), at=at, by=by, reason=reason)
    return recipient


def _require_room(by: Actor) -> None:
    """One disclosure of somebody at a time, so that they are counted exactly. Raises TooManyRevealsError."""
    name = actor_name(by)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"reveal:{name}"])
    seen = Event.objects.filter(event=EventName.REVEALED, actor=name).order_by()
    for window, limit in ((MINUTE, settings.REVEALS_A_MINUTE), (DAY, settings.REVEALS_A_DAY)):
        if seen.filter(at__gt=Now() - window)[:limit].count() >= limit:
            log.error("too_many_reveals", actor=name, limit=limit, seconds=int(window.total_seconds()))
            raise TooManyRevealsError(window)


def many_seen() -> list[ManySeen]:
    """Those who reached a limit within the last day, the last one first. Their histories tell which they saw."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT actor, count(*), max(at) FROM (
                SELECT actor, at, lag(at, %s) OVER by_actor AS of_minute, lag(at, %s) OVER by_actor AS of_day
                FROM payouts_event WHERE event = 'revealed' AND at > statement_timestamp() - make_interval(secs => %s)
                WINDOW by_actor AS (PARTITION BY actor ORDER BY at)
            ) AS seen
            GROUP BY actor HAVING bool_or(at - of_minute < make_interval(secs => %s)) OR bool_or(of_day IS NOT NULL)
            ORDER BY max(at) DESC
            """,
            [settings.REVEALS_A_MINUTE - 1, settings.REVEALS_A_DAY - 1, DAY.total_seconds(), MINUTE.total_seconds()],
        )
        return [ManySeen(*row) for row in cursor.fetchall()]
