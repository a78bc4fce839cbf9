"""Tell the worker that something is due. A lost ring costs time, never money: the sweep finds what it missed."""

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django_q.tasks import async_task

PUMP = "payouts.tasks.pump"
RUNG = "doorbell"
RUNG_SECONDS = 2


def ring() -> None:
    """Enqueue one pump in the present transaction, unless one that has not begun yet is enqueued already.

    A queue outside the database is rung after the commit, before which a pump would see nothing.

    The cache coalesces rings only where all processes share it. A pump that begins before our rows are committed may
    not see them, so whether it still waits is asked after the commit, when a failure can only cost time. A cache that
    is down answers as if none waited; it is asked under the row's lock, so its time-out is short.
    """
    if settings.Q_BROKER != "orm":
        transaction.on_commit(_ring_outside, robust=True)
    elif settings.REDIS_URL and not cache.add(RUNG, 1, timeout=RUNG_SECONDS):
        transaction.on_commit(_ring_if_answered, robust=True)
    else:
        async_task(PUMP)


def answered() -> None:
    """The pump begins: rings from now on need another one."""
    if settings.REDIS_URL:
        cache.delete(RUNG)


def _ring_outside() -> None:
    if not settings.REDIS_URL or cache.add(RUNG, 1, timeout=RUNG_SECONDS) or not cache.has_key(RUNG):
        async_task(PUMP)


def _ring_if_answered() -> None:
    if not cache.has_key(RUNG):
        async_task(PUMP)
