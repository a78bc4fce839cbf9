"""Which of the payouts that could be paid now fit under the velocity limits, exactly, and what the limits have used.

A claim asks last of all, before it writes (`admit`): the claims of one currency wait for each other there, shortly,
and nothing else does. A new attempt counts, a retry again; look-ups do not.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import structlog
from django.db import connection
from django.db.models import Q

from payouts.actions import waits
from payouts.models import (
    BUCKETS,
    LET_GO,
    WAITS_FOR_CONFIGURATION,
    WINDOW_LENGTHS,
    ConfigurationAlteredError,
    Payout,
    Proposal,
    VelocityLimit,
    VelocityScope,
)
from payouts.models.sealed_sets import verified

log = structlog.get_logger(__name__)

# A process that is stopped between its lock and its commit holds up the claims of its currencies for so long.
IDLE_SECONDS = 10

LOCK = """
SELECT set_config('idle_in_transaction_session_timeout', %s, true),
       count(pg_advisory_xact_lock(hashtext('payouts_velocity'), hashtext(currency)))
FROM unnest(%s::text[]) AS currency
"""
# A bucket counts until all of it is older than the window: use is never told too low.
USED = """
SELECT place, statement_timestamp(), coalesce(sum(u.count), 0)::bigint, coalesce(sum(u.amount), 0), min(u.bucket_at)
FROM unnest(%(scopes)s::text[], %(keys)s::text[], %(currencies)s::text[], %(windows)s::text[], %(seconds)s::int[])
     WITH ORDINALITY AS asked(scope, key, currency, "window", seconds, place)
LEFT JOIN payouts_velocityuse u ON u.scope = asked.scope AND u.key = asked.key AND u.currency = asked.currency
     AND u."window" = asked."window"
     AND u.bucket_at > statement_timestamp() - asked.seconds * interval '1 second'
GROUP BY place ORDER BY place
"""
ADD = """
INSERT INTO payouts_velocityuse AS u (scope, key, currency, "window", bucket_at, count, amount)
SELECT scope, key, currency, "window",
       to_timestamp(floor(extract(epoch FROM %(at)s::timestamptz) / seconds) * seconds), count, amount
FROM unnest(%(scopes)s::text[], %(keys)s::text[], %(currencies)s::text[], %(windows)s::text[], %(seconds)s::int[],
            %(counts)s::int[], %(amounts)s::numeric[])
     AS added(scope, key, currency, "window", seconds, count, amount)
ON CONFLICT (scope, key, currency, "window", bucket_at)
DO UPDATE SET count = u.count + excluded.count, amount = u.amount + excluded.amount
"""
# A page reads so many rows at most: of more recipients than that it tells the fullest of some.
ROWS_READ = 50_000
FULLEST = """
SELECT key, sum(count)::bigint, sum(amount) FROM (
    SELECT key, count, amount FROM payouts_velocityuse
    WHERE scope = %s AND currency = %s AND "window" = %s
    AND bucket_at > statement_timestamp() - %s * interval '1 second'
    LIMIT %s) AS used
GROUP BY key ORDER BY greatest(sum(amount) / %s, sum(count) / nullif(%s, 0)::numeric) DESC NULLS LAST LIMIT 1
"""
# After twice its window nobody asks for it.
PRUNE = """
DELETE FROM payouts_velocityuse
WHERE bucket_at < statement_timestamp() - 2 * ('1 ' || "window")::interval
"""


class Key(NamedTuple):
    """What one sum of use counts: this key of the scope, in this currency and window."""

    scope: str
    key: str
    currency: str
    window: str


@dataclass(slots=True)
class Sum:
    """How many payouts and how much; `new` is what this claim adds."""

    count: int = 0
    amount: Decimal = Decimal(0)
    oldest_at: datetime | None = None  # of its buckets
    new_count: int = 0
    new_amount: Decimal = Decimal(0)

    def add(self, amount: Decimal) -> None:
        self.new_count += 1
        self.new_amount += amount

    def has_room(self, limit: VelocityLimit, amount: Decimal) -> bool:
        count, total = self.count + self.new_count + 1, self.amount + self.new_amount + amount
        return (limit.count is None or count <= limit.count) and (limit.amount is None or total <= limit.amount)


class Over(NamedTuple):
    """A payout exceeds limits: what it waits for, and when there can be room for it at the earliest."""

    reason: str
    room_at: datetime | None = None
    """None where that cannot be said."""


@dataclass(frozen=True, slots=True)
class Use:
    """How much of one limit is used now; of a limit by provider, client or recipient the fullest key."""

    limit: VelocityLimit
    key: str
    """The provider's name, the client's number or the recipient's index in hexadecimal; empty for all payouts."""
    count: int
    amount: Decimal
    waiting: int
    """How many payouts wait for this limit, waits.COUNTED at most."""
    waiting_since: datetime | None


def limits() -> tuple[VelocityLimit, ...]:
    """The limits in force, as they were sealed. Raises ConfigurationAlteredError."""
    return verified("velocity")


def admit(payouts: Sequence[Payout]) -> dict[int, Over]:
    """What each payout that exceeds limits waits for, by the payout's id; the others count as sent from now on.

    Give the oldest first. Call it in the claim's transaction, with these rows locked, and do nothing slow after it.
    All wait where SQL has changed the limits.
    """
    try:
        applying = _applying(payouts)
    except ConfigurationAlteredError:
        return {payout.pk: Over(WAITS_FOR_CONFIGURATION) for payout in payouts}
    if not applying:
        return {}
    _lock({payout.currency for payout in payouts if applying.get(payout.currency)})
    sums, at = _used({_key(limit, payout) for payout in payouts for limit in applying.get(payout.currency, ())})
    let_go: set[int] | None = None
    over: dict[int, Over] = {}
    for payout in payouts:
        keyed = [(limit, sums[_key(limit, payout)]) for limit in applying.get(payout.currency, ())]
        exceeded = [(limit, used) for limit, used in keyed if not used.has_room(limit, payout.amount)]
        if exceeded:
            let_go = _let_go(payouts) if let_go is None else let_go
            if payout.pk not in let_go:
                over[payout.pk] = Over(exceeded[0][0].reason, _room_at(exceeded, at))
                continue
        for _limit, used in keyed:
            used.add(payout.amount)
    _add(sums, at)
    _tell([payout for payout in payouts if payout.pk in over and not payout.waits_since], over)
    return over


def _room_at(exceeded: Sequence[tuple[VelocityLimit, Sum]], at: datetime) -> datetime:
    """When the oldest bucket of each has left its window: before that no room can come, unless people make it."""
    return max((used.oldest_at or at) + timedelta(seconds=_counted_seconds(limit.window)) for limit, used in exceeded)


def terms_let_go(payout: Payout) -> dict[str, str | int]:
    """The terms under which two people let a payout go over the limits: they fit its next attempt alone."""
    return {
        "reference": str(payout.reference),
        "terms": bytes(payout.terms_hash).hex(),
        "account": payout.provider,
        "attempt": payout.attempts.count() + 1,
    }


def use() -> list[Use]:
    """The limits in force, and how much of each is used now, for the Operations page.

    Raises ConfigurationAlteredError.
    """
    waiting = {(each.currency, each.reason): each for each in waits.over_limit()}
    found = []
    for limit in limits():
        with connection.cursor() as cursor:
            kind = (limit.scope, limit.currency, limit.window)
            size = (limit.amount, limit.count)
            cursor.execute(FULLEST, [*kind, _counted_seconds(limit.window), ROWS_READ, *size])
            key, count, amount = cursor.fetchone() or ("", 0, Decimal(0))
        wait = waiting.get((limit.currency, limit.reason))
        since = wait.since if wait else None
        found.append(Use(limit, key, count, amount, wait.count if wait else 0, since))
    return found


def prune() -> None:
    """Delete the use that no window counts any more."""
    with connection.cursor() as cursor:
        cursor.execute(PRUNE)


def _applying(payouts: Sequence[Payout]) -> dict[str, list[VelocityLimit]]:
    """The limits by currency, of those of the payouts; the longest window first, which is the longest wait."""
    applying: dict[str, list[VelocityLimit]] = defaultdict(list)
    currencies = {payout.currency for payout in payouts}
    for limit in sorted(limits() if currencies else (), key=lambda limit: -WINDOW_LENGTHS[limit.window]):
        if limit.currency in currencies:
            applying[limit.currency].append(limit)
    return dict(applying)


def _key(limit: VelocityLimit, payout: Payout) -> Key:
    return Key(limit.scope, _place(limit.scope, payout), limit.currency, limit.window)


def _place(scope: str, payout: Payout) -> str:
    match scope:
        case VelocityScope.PROVIDER:
            return payout.provider
        case VelocityScope.CLIENT:
            return str(payout.client_id or "")
        case VelocityScope.RECIPIENT:
            return bytes(payout.recipient_index).hex()
        case _:
            return ""


def _lock(currencies: set[str]) -> None:
    """Until the transaction ends; in one order, so that no two claims hold each other up for ever."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [f"{IDLE_SECONDS}s", sorted(currencies)])


def _used(keys: set[Key]) -> tuple[dict[Key, Sum], datetime]:
    """What was used of each, all in one statement, and the database's time."""
    asked = sorted(keys)
    columns = _columns(asked)
    columns["seconds"] = [_counted_seconds(key.window) for key in asked]
    with connection.cursor() as cursor:
        cursor.execute(USED, columns)
        rows = cursor.fetchall()
    sums = {key: Sum(*used) for key, (_place, _at, *used) in zip(asked, rows, strict=True)}
    return sums, rows[0][1]


def _add(sums: dict[Key, Sum], at: datetime) -> None:
    added = sorted((key, used) for key, used in sums.items() if used.new_count)
    if not added:
        return
    columns = _columns([key for key, _used in added])
    columns["seconds"] = [int(WINDOW_LENGTHS[key.window].total_seconds()) // BUCKETS for key, _used in added]
    columns["counts"] = [used.new_count for _key, used in added]
    columns["amounts"] = [used.new_amount for _key, used in added]
    with connection.cursor() as cursor:
        cursor.execute(ADD, {**columns, "at": at})


def _columns(keys: Sequence[Key]) -> dict[str, list[object]]:
    names = ("scopes", "keys", "currencies", "windows")
    return {name: [key[place] for key in keys] for place, name in enumerate(names)}


def _counted_seconds(window: str) -> int:
    """For how long a bucket counts from its beginning on: the window, and itself."""
    seconds = int(WINDOW_LENGTHS[window].total_seconds())
    return seconds + seconds // BUCKETS


def _let_go(payouts: Sequence[Payout]) -> set[int]:
    """Which of these two people, whose accounts are still open, have let go over the limits, as they are now."""
    by_id = {str(payout.pk): payout for payout in payouts}
    found = Proposal.objects.in_force().filter(
        Q(decided_by=None) | Q(decided_by__is_active=True),
        subject=LET_GO,
        object_id__in=by_id,
        proposed_by__is_active=True,
    )
    return {
        by_id[each.object_id].pk
        for each in found
        if each.is_sealed and each.before == terms_let_go(by_id[each.object_id])
    }


def _tell(payouts: Sequence[Payout], over: dict[int, Over]) -> None:
    """Once for each payout that begins to wait: an alarm, because the limits are far above what is usual."""
    if payouts:
        reasons = sorted({over[payout.pk].reason for payout in payouts})
        log.error("over_velocity_limit", payouts=[payout.pk for payout in payouts], limits=reasons)
