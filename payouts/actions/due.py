"""What the worker should look at now, by provider: found by index, whatever another provider owes meanwhile.

A provider that people have paused, or that does not answer, may owe 100,000 payouts: they are jumped over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from random import random
from typing import Literal

from django.db import connection

from payouts.models import SUSPECT_LEASES, Payout

type Which = Literal["all", "sound", "suspect"]

# How many of a provider's due payouts are counted: more are told as so many.
COUNTED = 10_000
# A probe is one of so many.
PROBE_SAMPLE = 100

CONDITIONS: dict[Which, str] = {
    "all": "due_at IS NOT NULL",
    "sound": f"due_at IS NOT NULL AND lost_leases < {SUSPECT_LEASES}",
    "suspect": f"due_at IS NOT NULL AND lost_leases >= {SUSPECT_LEASES}",
}
# One seek in the index for each provider, one for its oldest payout, and as many entries as are counted.
OWING = """
WITH RECURSIVE known(provider) AS (
    (SELECT provider FROM payouts_payout WHERE {condition} ORDER BY provider LIMIT 1)
    UNION ALL
    SELECT (SELECT p.provider FROM payouts_payout p WHERE p.provider > known.provider AND {condition}
            ORDER BY p.provider LIMIT 1)
    FROM known WHERE known.provider IS NOT NULL
)
SELECT known.provider, due.count, due.oldest_at,
       EXISTS (SELECT FROM payouts_providerpause s WHERE s.provider = known.provider AND s.resumed_at IS NULL),
       EXISTS (SELECT FROM payouts_breaker b WHERE b.provider = known.provider AND b.open_until IS NOT NULL)
FROM known CROSS JOIN LATERAL (
    SELECT count(*), min(due_at) AS oldest_at FROM (
        SELECT due_at FROM payouts_payout p WHERE p.provider = known.provider AND {condition}
        AND due_at <= statement_timestamp() ORDER BY due_at LIMIT %(most)s) AS first
) AS due
WHERE due.count > 0
"""
TAKE = """
SELECT taken.id FROM unnest(%(providers)s::text[], %(shares)s::int[]) AS share(provider, size) CROSS JOIN LATERAL (
    SELECT id, due_at FROM payouts_payout p WHERE p.provider = share.provider AND {condition}
    AND due_at <= statement_timestamp() ORDER BY due_at LIMIT share.size FOR NO KEY UPDATE SKIP LOCKED) AS taken
ORDER BY taken.due_at, taken.id
"""
# From a random moment on: if old payouts, or a batch's, make the provider fail, they are not all tried first.
TAKE_ANY = """
SELECT id FROM payouts_payout WHERE id = (
    SELECT id FROM (
        SELECT id FROM payouts_payout p WHERE provider = %(provider)s AND {condition}
        AND due_at <= statement_timestamp()
        AND due_at >= %(oldest_at)s::timestamptz + %(place)s * (statement_timestamp() - %(oldest_at)s::timestamptz)
        ORDER BY due_at LIMIT %(sample)s) AS sample
    ORDER BY random() LIMIT 1)
AND due_at <= statement_timestamp() FOR NO KEY UPDATE SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class Owed:
    """What is due at one provider: how many payouts, `most` at most, and since when the oldest."""

    provider: str
    count: int
    oldest_at: datetime
    is_paused: bool
    is_silent: bool

    @property
    def is_callable(self) -> bool:
        return not (self.is_paused or self.is_silent)


def owed(which: Which = "all", *, most: int = COUNTED) -> list[Owed]:
    """The providers that have due payouts, by name. A suspect is a payout whose last claims ended in no record."""
    with connection.cursor() as cursor:
        cursor.execute(OWING.format(condition=CONDITIONS[which]), {"most": most})
        return [Owed(*row) for row in cursor.fetchall()]


def is_anything() -> bool:
    """Whether a worker has something to do, or a provider that is silent may be tried again."""
    return any(not each.is_paused for each in owed(most=1))


def take(shares: dict[str, int], which: Which) -> list[int]:
    """Lock up to so many due payouts of each provider, its oldest first, and none that another worker has locked.

    For the present transaction; returns their ids, the oldest first.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            TAKE.format(condition=CONDITIONS[which]), {"providers": list(shares), "shares": list(shares.values())}
        )
        return [payout_id for (payout_id,) in cursor.fetchall()]


def take_any(provider: str) -> list[int]:
    """Lock one due payout of the provider for the present transaction, any of them, and a suspect only if need be."""
    for which in ("sound", "suspect"):
        owing = [each for each in owed(which, most=1) if each.provider == provider]
        for place in (random(), 0) if owing else ():  # noqa: S311 (chooses a probe, guards nothing)
            with connection.cursor() as cursor:
                cursor.execute(
                    TAKE_ANY.format(condition=CONDITIONS[which]),
                    {
                        "provider": provider,
                        "oldest_at": owing[0].oldest_at,
                        "place": place,
                        "sample": PROBE_SAMPLE,
                    },
                )
                if found := cursor.fetchone():
                    return [found[0]]
    return []


def take_one(payout_id: int) -> list[int]:
    """Lock this payout for the present transaction, if it is due and nobody else has."""
    one = Payout.objects.due().filter(pk=payout_id).select_for_update(no_key=True, skip_locked=True)
    return list(one.values_list("pk", flat=True))


def shares(owing: Sequence[Owed], limit: int) -> dict[str, int]:
    """Divide `limit` claims equally among the providers; what one cannot use goes to the others."""
    given: dict[str, int] = {}
    left = limit
    for waiting, each in enumerate(sorted(owing, key=lambda each: each.count)):
        given[each.provider] = min(each.count, -(-left // (len(owing) - waiting)))
        left -= given[each.provider]
    return {provider: size for provider, size in given.items() if size}
