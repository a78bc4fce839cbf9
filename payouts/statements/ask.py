"""Ask the accounts' providers for what they paid on a day, and hold it against our record.

A list is read whole, page by page, outside any transaction, before anything of it is stored. Each day is a task of
its own, so one account's failure holds up no other. Accounts that people have paused are asked too: it only reads.
"""

import time
from collections.abc import Sequence

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from payouts.actions import PayoutError, days
from payouts.jobs import FILES, Job, Stop, never
from payouts.models import ProviderReport, ReconciledDay
from payouts.providers import Answer, ListsPayments, Payment, asking
from payouts.providers.registry import known_names, lists_payments, payments_of
from payouts.providers.words import CODE_LIMIT, MESSAGE_LIMIT, unknown
from payouts.statements.listed import listed
from payouts.statements.read import LINES_LIMIT

ASK = Job("payouts.tasks.reconcile_day", ReconciledDay, Q(agreed_at=None, closed_at=None), queue=FILES)
PAGES_LIMIT = 2_000


def ring_due() -> None:
    """Make a task for each day that is to be asked for now; mark those that agree by now."""
    now = timezone.now()
    days.settle(now=now)
    for account in known_names():
        if lists_payments(account):
            days.begin(account, now=now)
    for day in days.due(now=now):
        ASK.ring(day.pk)


def ask_if_due(day_id: int, *, must_stop: Stop = never) -> None:
    """Ask for the day, unless another task has done so since this one was made."""
    now = timezone.now()
    for day in days.due(now=now):
        if day.pk == day_id and days.take(day, now=now):
            ask(day, must_stop=must_stop)


def ask(day: ReconciledDay, *, must_stop: Stop = never) -> ProviderReport | None:
    """Keep what the day's provider lists, to be compared by the worker; None where it listed nothing whole."""
    asked_at = timezone.now()
    found = asking.ask(day.account, payments_of, lambda provider: _read(provider, day, must_stop), call="payments")
    if isinstance(found, Answer):
        days.not_told(day, code=found.code[:CODE_LIMIT], message=found.message[:MESSAGE_LIMIT])
        return None
    try:
        report = listed(day.account, day.on, found, asked_at=asked_at)
    except PayoutError as error:
        days.not_told(day, code="not_stored", message=str(error)[:MESSAGE_LIMIT])
        return None
    days.told(day, report, found)
    return report


def _read(provider: ListsPayments, day: ReconciledDay, must_stop: Stop) -> Sequence[Payment] | Answer:
    """All pages of the day; each payment once, as the last page that has it tells it."""
    since, until = days.bounds(day.on, day.on, day.zone)
    payments: dict[str, Payment] = {}
    cursor, cursors = "", {""}
    for _page in range(PAGES_LIMIT):
        if must_stop():
            return unknown("too_slow", "The provider's list took too long to read.")
        deadline = time.monotonic() + settings.PROVIDER_TIMEOUT_SECONDS
        page = provider.payments(since, until, cursor=cursor, deadline=deadline)
        if isinstance(page, Answer):
            return page
        payments |= {payment.provider_id: payment for payment in page.payments}
        if not page.cursor:
            return list(payments.values())
        if page.cursor in cursors:
            return unknown("endless", "The provider's list has no end: its pages come again.")
        if len(payments) > LINES_LIMIT:
            break
        cursor = page.cursor
        cursors.add(cursor)
    return unknown("too_many", "The provider's list is longer than 100,000 payments.")
