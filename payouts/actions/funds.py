"""Never more than there is: what the balance of an account does not cover waits, and what it covers goes on.

A claim asks beside the velocity limits, before it writes (`admit`, `take_off`); the claims of one account and
currency wait for each other there, shortly. What is there is the balance that the provider told last, less what may
not be off it yet: every attempt that the provider had not accepted when it was asked, and all later ones. An attempt
whose outcome is unknown counts until it is known.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import structlog
from django.db import connection, transaction

from payouts import doorbell
from payouts.actions.velocity import IDLE_SECONDS, Over
from payouts.actions.waits import LONGEST_FOR_ROOM
from payouts.database import rows
from payouts.models import (
    BALANCE_HOLDS,
    WAITS_AFTER_REFUSAL,
    WAITS_FOR_BALANCE,
    WAITS_FOR_FUNDS,
    AccountBalance,
    Attempt,
    Payout,
)
from payouts.providers import Balance, registry

log = structlog.get_logger(__name__)

# After a refusal for want of funds, by the attempt's number, unless the balance rises (`FITTING`); the last from then
# on. They grow, because each attempt asks about all the earlier ones first.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240))
# No amount is finer.
LEAST = Decimal("0.0001")
# More payouts than this are told as so many.
COUNTED = 10_000

LOCK = """
SELECT set_config('idle_in_transaction_session_timeout', %s, true),
       count(pg_advisory_xact_lock(hashtext('payouts_funds'), hashtext(name)))
FROM unnest(%s::text[]) AS name
"""
ROOM = """
SELECT b.account, b.currency, b.amount - b.committed
FROM payouts_accountbalance b
JOIN unnest(%s::text[], %s::text[]) AS asked(account, currency)
     ON b.account = asked.account AND b.currency = asked.currency
WHERE b.at > statement_timestamp() - %s * interval '1 second'
"""
TAKE_OFF = """
UPDATE payouts_accountbalance b SET committed = b.committed + added.amount
FROM unnest(%s::text[], %s::text[], %s::numeric[]) AS added(account, currency, amount)
WHERE b.account = added.account AND b.currency = added.currency
"""
# Attempts that the provider had not accepted when it was asked: those that are open, and those that succeeded since.
NOT_TAKEN_OFF = """
SELECT coalesce(sum(amount), 0) FROM (
    SELECT p.amount FROM payouts_payout p JOIN payouts_attempt a ON a.payout_id = p.id AND a.outcome = 'open'
    WHERE p.status IN ('processing', 'unknown') AND p.currency = %(currency)s AND a.provider = %(account)s
    AND (a.accepted_at IS NULL OR a.accepted_at >= %(at)s)
    UNION ALL
    SELECT p.amount FROM payouts_attempt a JOIN payouts_payout p ON p.id = a.payout_id
    WHERE a.finished_at >= %(at)s AND a.outcome = 'succeeded' AND a.provider = %(account)s
    AND p.currency = %(currency)s AND (a.accepted_at IS NULL OR a.accepted_at >= %(at)s)
) AS each
"""
# The provider has refused so much: what is left is less, until it tells its balance again.
LESS_THAN = """
UPDATE payouts_accountbalance SET committed = greatest(committed, amount - %(less)s)
WHERE account = %(account)s AND currency = %(currency)s
"""
# The oldest that fit, until the room is used up; those that another holds are looked at in their time. One that was
# refused again and again goes later and later: a refusal can itself let the balance rise, and the next can follow.
FITTING = """
SELECT id, greatest(statement_timestamp(), CASE WHEN waits_for = %(refused)s THEN waits_since + (
    SELECT (count(*) - 1) ^ 2 FROM payouts_attempt a WHERE a.payout_id = payouts_payout.id) * interval '1 minute' END)
FROM payouts_payout
WHERE id IN (
    SELECT id FROM (
        SELECT id, sum(amount) OVER (ORDER BY waits_since, id) - amount AS before FROM (
            SELECT id, waits_since, amount FROM payouts_payout
            WHERE waits_for <> '' AND waits_for = ANY(%(reasons)s) AND provider = %(account)s
            AND currency = %(currency)s AND amount <= %(room)s AND due_at > statement_timestamp()
            ORDER BY waits_since, id LIMIT %(counted)s) AS waiting) AS placed
    WHERE before < %(room)s)
AND waits_for = ANY(%(reasons)s) AND due_at > statement_timestamp()
ORDER BY waits_since, id FOR NO KEY UPDATE SKIP LOCKED
"""
WAITING = """
SELECT provider, currency, count(*), sum(amount), min(waits_since)
FROM (SELECT provider, currency, amount, waits_since FROM payouts_payout
      WHERE waits_for <> '' AND starts_with(waits_for, %(funds)s) LIMIT %(counted)s) AS waiting
GROUP BY provider, currency ORDER BY provider, currency
"""
# Of each kind COUNTED at most, the oldest.
UNDER_WAY = """
SELECT provider, currency, sum(amount) FROM (
    SELECT provider, currency, amount FROM payouts_payout
    WHERE status IN ('processing', 'unknown') ORDER BY created_at LIMIT %(counted)s) AS sent
GROUP BY provider, currency
"""
DUE = """
SELECT provider, currency, sum(amount) FROM (
    SELECT provider, currency, amount FROM payouts_payout
    WHERE provider = ANY(%(accounts)s) AND due_at IS NOT NULL AND status = 'pending'
    ORDER BY provider, due_at LIMIT %(counted)s) AS approved
GROUP BY provider, currency
"""


class Place(NamedTuple):
    """Where there is a balance."""

    account: str
    currency: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many payouts wait for funds in an account's currency, how much that is, and since when the first waits."""

    account: str
    currency: str
    count: int
    amount: Decimal
    since: datetime


@dataclass(frozen=True, slots=True)
class Funds:
    """An account's balance, and what it has to pay for; of each COUNTED payouts at most."""

    balance: AccountBalance
    under_way: Decimal
    """Sent, and not ended."""
    due: Decimal
    """Approved and not sent, now or at its time; what waits for funds too."""
    waiting: Waiting | None


def admit(payouts: Sequence[Payout]) -> dict[int, Over]:
    """Which of these payouts no balance covers, by their ids. Give the oldest first: each that is covered takes its
    amount off, and a smaller one behind one that is not may go.

    Call it in the claim's transaction, with these rows locked; then `take_off` what is sent, and do nothing slow.
    """
    places = {_place(payout) for payout in payouts if registry.tells_balance(payout.provider)}
    if not places:
        return {}
    _lock(places)
    rooms, at = _rooms(places)
    short: dict[int, Over] = {}
    for payout in payouts:
        room = rooms.get(_place(payout))
        if room is None:
            continue
        if payout.amount > room:
            short[payout.pk] = Over(WAITS_FOR_BALANCE, at + LONGEST_FOR_ROOM)
        else:
            rooms[_place(payout)] = room - payout.amount
    _tell([payout for payout in payouts if payout.pk in short and not payout.waits_since])
    return short


def take_off(payouts: Sequence[Payout]) -> None:
    """Take what the present transaction sends off the balances; it has asked `admit` for these payouts."""
    sums: dict[Place, Decimal] = defaultdict(Decimal)
    for payout in payouts:
        if registry.tells_balance(payout.provider):
            sums[_place(payout)] += payout.amount
    if sums:
        added = sorted(sums.items())
        columns = ([p.account for p, _sum in added], [p.currency for p, _sum in added], [each for _p, each in added])
        with connection.cursor() as cursor:
            cursor.execute(TAKE_OFF, columns)


def refused(payouts: Sequence[Payout]) -> None:
    """The provider has just refused these for want of funds: so much there is not, whatever it told before.

    A hint until the next balance, outside the transaction that records the refusal: no lock is held for it.
    """
    least: dict[Place, Decimal] = {}
    for payout in payouts:
        place = _place(payout)
        least[place] = min(payout.amount, least.get(place, payout.amount))
    for place, amount in sorted(least.items()):
        with connection.cursor() as cursor:
            cursor.execute(LESS_THAN, {"less": amount - LEAST, **place._asdict()})
    _tell(payouts)


def pause(attempt: Attempt) -> timedelta:
    """How long to wait after this attempt was refused for want of funds, unless the balance rises meanwhile."""
    return PAUSES[min(attempt.number, len(PAUSES)) - 1]


def note(account: str, balances: Sequence[Balance], *, asked_at: datetime) -> None:
    """Take down what the provider told of an account when it was asked at `asked_at`, by the database's clock; let
    what it covers now go on, and ring for it. A currency that it no longer tells holds nothing back."""
    for balance in balances:
        place = Place(account, balance.currency)
        if (before := _note(place, balance.amount, asked_at)) is not None:
            reasons = [WAITS_FOR_BALANCE, *([WAITS_AFTER_REFUSAL] if balance.amount > before else [])]
            _wake(place, reasons)
    told = [balance.currency for balance in balances]
    AccountBalance.objects.filter(account=account, at__lt=asked_at).exclude(currency__in=told).delete()


def waiting() -> list[Waiting]:
    """What waits for funds, by account and currency; COUNTED payouts at most in all."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING, {"funds": WAITS_FOR_FUNDS, "counted": COUNTED})
        return [Waiting(*row) for row in cursor.fetchall()]


def balances() -> list[AccountBalance]:
    """The last that each account told, of those that the settings name."""
    return [each for each in AccountBalance.objects.all() if registry.tells_balance(each.account)]


def overview() -> list[Funds]:
    """The balances, and what they have to pay for."""
    told = balances()
    if not told:
        return []
    accounts = sorted({each.account for each in told})
    under_way, approved = _sums(UNDER_WAY, accounts), _sums(DUE, accounts)
    waits = {Place(each.account, each.currency): each for each in waiting()}
    found = []
    for each in told:
        place = Place(each.account, each.currency)
        sums = (under_way.get(place, Decimal(0)), approved.get(place, Decimal(0)))
        found.append(Funds(each, *sums, waits.get(place)))
    return found


def _sums(query: str, accounts: Sequence[str]) -> dict[Place, Decimal]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"accounts": list(accounts), "counted": COUNTED})
        return {Place(account, currency): amount for account, currency, amount in cursor.fetchall()}


def _place(payout: Payout) -> Place:
    return Place(payout.provider, payout.currency)


def _lock(places: set[Place]) -> None:
    """Until the transaction ends; in one order, so that no two claims hold each other up for ever."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [f"{IDLE_SECONDS}s", [" ".join(place) for place in sorted(places)]])


def _rooms(places: set[Place]) -> tuple[dict[Place, Decimal], datetime]:
    """What is left of each balance that is new enough to hold anything back, and the database's time."""
    asked = sorted(places)
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        (at,) = cursor.fetchone()
        columns = [[place.account for place in asked], [place.currency for place in asked]]
        cursor.execute(ROOM, [*columns, BALANCE_HOLDS.total_seconds()])
        return {Place(account, currency): room for account, currency, room in cursor.fetchall()}, at


def _note(place: Place, amount: Decimal, asked_at: datetime) -> Decimal | None:
    """Returns the balance that was told before, the same where there was none; None for an older answer."""
    with transaction.atomic():
        _lock({place})
        known = AccountBalance.objects.filter(**place._asdict()).first()
        if known and known.at >= asked_at:
            return None
        with connection.cursor() as cursor:
            cursor.execute(NOT_TAKEN_OFF, {"at": asked_at, **place._asdict()})
            (committed,) = cursor.fetchone()
        AccountBalance.objects.update_or_create(
            **place._asdict(), defaults={"amount": amount, "at": asked_at, "committed": committed}
        )
        return known.amount if known else amount


def _wake(place: Place, reasons: Sequence[str]) -> None:
    """In a transaction of its own: a claim that holds a payout may be waiting for the lock."""
    known = AccountBalance.objects.filter(**place._asdict()).first()
    room = known.amount - known.committed if known else Decimal(0)
    if room <= 0:
        return
    asked = {
        "reasons": list(reasons),
        "refused": WAITS_AFTER_REFUSAL,
        "room": room,
        "counted": COUNTED,
        **place._asdict(),
    }
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(FITTING, asked)
            found = cursor.fetchall()
        # In their order, and before what becomes due now.
        fitting = [
            Payout(pk=payout_id, due_at=at - timedelta(microseconds=len(found) - number))
            for number, (payout_id, at) in enumerate(found)
        ]
        rows.update(Payout, fitting, ("due_at",))
        if fitting:
            doorbell.ring()


def _tell(payouts: Sequence[Payout]) -> None:
    """An alarm, once for each payout that begins to wait."""
    by_place: dict[Place, list[int]] = defaultdict(list)
    for payout in payouts:
        by_place[_place(payout)].append(payout.pk)
    for place, ids in sorted(by_place.items()):
        log.error("waits_for_funds", payouts=ids, **place._asdict())
