"""Every invariant, checked over the whole database: what constraints cannot say, and what SQL by hand may have done.

Streams payouts in batches of BATCH, so memory does not grow with their number.
"""

from collections.abc import Iterator
from itertools import chain, islice, zip_longest

from django.db.models import Max

from payouts import rules
from payouts.audit import anchored, archived, at_once, four_eyes, guards, one_payout, sealed, used
from payouts.audit.findings import Broken
from payouts.database.snapshot import snapshot
from payouts.models import Approval, Attempt, Event, Payout, by_payout, read_keys

BATCH = 1_000
# What one of several processes looks at before it takes more.
PART = 20_000
# More is not told: where so much is broken, one cause broke it.
LIMIT = 10_000


def broken_invariants(processes: int = 1) -> Iterator[Broken]:
    """All that is wrong: with the database as a whole, then payout by payout, then since each checkpoint."""
    yield from of_database()
    if processes > 1:
        yield from at_once.each(of_payouts, parts(), processes)
    else:
        yield from of_payouts()
    for _last_id, broken in sealed.recipient_keys():
        yield from broken
    for _number, broken in anchored.own():
        yield from broken


def of_database() -> Iterator[Broken]:
    """What is wrong with the database's guards, and with what is no payout's own."""
    yield from guards.missing_guards()
    yield from sealed.people()
    yield from sealed.logins()
    yield from sealed.recoveries()
    yield from sealed.configuration()
    yield from used.less_than_sent()


def parts() -> list[tuple[int, int | None]]:
    """The payouts in parts: behind which id each begins, and with which it ends; the last has all that come."""
    newest: int = Payout.objects.aggregate(newest=Max("pk"))["newest"] or 0
    begins = range(0, newest + 1, PART)
    return list(zip_longest(begins, begins[1:]))


def of_payouts(after_id: int = 0, up_to: int | None = None) -> list[Broken]:
    """What is wrong with the payouts beyond the one id, up to the other: the first LIMIT."""
    return list(islice(chain.from_iterable(broken for _last_id, broken in batches(after_id, up_to)), LIMIT))


def batches(after_id: int = 0, up_to: int | None = None) -> Iterator[tuple[int, list[Broken]]]:
    """What is wrong with the payouts beyond that id, a batch at a time, each with the last id that it looked at."""
    last_id = after_id
    while True:
        wanted = Payout.objects.filter(pk__gt=last_id)
        with snapshot():
            payouts = list((wanted.filter(pk__lte=up_to) if up_to else wanted).order_by("pk")[:BATCH])
            broken = broken_of(payouts)
        if not payouts:
            return
        last_id = payouts[-1].pk
        yield last_id, broken


def broken_of(payouts: list[Payout]) -> list[Broken]:
    """What is wrong with these payouts, which were read in the same snapshot, or are locked."""
    read_keys(payouts)
    events = by_payout(Event.objects.filter(payout__in=payouts).order_by("payout_id", "seq"))
    of_bundles = archived.read(payouts, events)
    attempts = by_payout(Attempt.objects.filter(payout__in=payouts).order_by("payout_id", "number"))
    close_since = rules.close_since({payout.client_id for payout in payouts if payout.client_id})
    approvals = by_payout(Approval.objects.filter(payout__in=payouts).select_related("attempt").order_by("pk"))
    return [
        Broken(payout.pk, invariant, detail)
        for payout in payouts
        for invariant, detail in chain(
            one_payout.row(payout),
            of_bundles.get(payout.pk, ()),
            one_payout.history(payout, events[payout.pk]),
            one_payout.keys_follow(payout, attempts[payout.pk]),
            one_payout.paid_once(payout, events[payout.pk], attempts[payout.pk]),
            four_eyes.enough_people(payout, events[payout.pk], approvals[payout.pk], close_since),
        )
    ]
