"""A circuit breaker per provider, shared by all workers through the database.

After FAILURES_TO_OPEN failures of the provider in a row none of its payouts is claimed for a while; then one is, as a
probe. Any answer that says something about a payment closes it, a failed probe opens it for longer.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from random import uniform

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from payouts.models import Breaker

log = structlog.get_logger(__name__)

FAILURES_TO_OPEN = 10
# Seconds without calls, by the times it opened since the provider last answered; jittered.
OPEN_SECONDS = (2, 4, 8, 15)
PROBE_GRACE_SECONDS = 5


def open_providers() -> list[str]:
    """The providers not to be called now."""
    return list(Breaker.objects.filter(open_until__isnull=False).values_list("provider", flat=True))


def take_probe() -> str | None:
    """The provider that the caller may try once, if any; nobody else tries it until that call must have ended.

    It has a due payout, its time without calls is over, and nobody has paused it. Kept by the present transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE payouts_breaker SET probing_since = clock_timestamp(),
                   open_until = clock_timestamp() + %s * interval '1 second'
            WHERE provider = (SELECT b.provider FROM payouts_breaker b
                              WHERE b.open_until <= clock_timestamp()
                                AND EXISTS (SELECT 1 FROM payouts_payout p
                                            WHERE p.due_at <= clock_timestamp() AND p.provider = b.provider)
                                AND NOT EXISTS (SELECT 1 FROM payouts_providerpause s
                                                WHERE s.provider = b.provider AND s.resumed_at IS NULL)
                              LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING provider
            """,
            [settings.PROVIDER_TIMEOUT_SECONDS + PROBE_GRACE_SECONDS],
        )
        row = cursor.fetchone()
    return row[0] if row else None


def return_probe(provider: str) -> None:
    """Let the next payout try the provider: no call was made, or it showed nothing."""
    probed = Breaker.objects.filter(provider=provider, probing_since__isnull=False)
    probed.update(open_until=Now(), probing_since=None)


def note_answer(provider: str) -> None:
    """Close the breaker: the provider has said something about a payment, so it works."""
    troubled = Breaker.objects.filter(provider=provider, failures__gt=0)
    if troubled.update(failures=0, trips=0, open_until=None, probing_since=None):
        log.info("breaker_closed", provider=provider)


def note_failures(provider: str, claimed_at: Iterable[datetime]) -> None:
    """Count calls that failed because of the provider, claimed at these times; enough of them open the breaker."""
    times = list(claimed_at)
    Breaker.objects.bulk_create([Breaker(provider=provider)], ignore_conflicts=True)
    with transaction.atomic():
        state = Breaker.objects.select_for_update().get(provider=provider)
        state.failures += len(times)
        is_probe = state.probing_since is not None and max(times) >= state.probing_since
        # Calls that were in flight when it opened show nothing new.
        if is_probe or (state.open_until is None and state.failures >= FAILURES_TO_OPEN):
            state.trips = min(state.trips + 1, len(OPEN_SECONDS))
            seconds = OPEN_SECONDS[state.trips - 1]
            state.probing_since = None
            jitter = uniform(0.8, 1.2)  # noqa: S311 (spreads load, guards nothing)
            state.open_until = Now() + timedelta(seconds=seconds * jitter)
            log.warning("breaker_opened", provider=provider, failures=state.failures, seconds=seconds)
        state.save()
