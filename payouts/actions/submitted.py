"""How much was submitted in the last 24 hours, in a currency and to a recipient, for the limits of the review rules.

Kept as sums by the hour (`SubmittedSum`), so a submission reads a few rows, however much a recipient gets. No row is
one that all submissions change: each adds to a part of the sum that nobody holds, or begins a new part, so a
transaction that is stuck holds nobody up. What is submitted in the same instant is therefore not seen yet, and a flag
may be missed; the velocity limits at the claim (velocity.py) are exact. Parts of past hours are merged (`tidy`).

The judgement of a submission adds it (review.py); the mover keeps the sums right when payouts are cancelled,
rejected, refused, or sent again (`recount`).
"""

from collections.abc import Sequence

import msgspec
from django.db import connection

from payouts.models import Payout
from payouts.states import Status

# These are no longer going to a recipient.
NOT_COUNTED = (Status.CANCELLED, Status.REJECTED, Status.FAILED)


def is_counted(status: str) -> bool:
    return status not in NOT_COUNTED


def recount(changes: Sequence[tuple[Payout, int]]) -> None:
    """Add payouts that count again (1), take off those that count no longer (-1), in the hour of their submission.

    In currencies with a limit, for payouts that were made since it was set; in its first minutes they stay counted.
    """
    document = [
        {
            "key": f"\\x{bytes(payout.recipient_index).hex()}",
            "currency": payout.currency,
            "amount": payout.amount,
            "at": payout.created_at,
            "sign": sign,
        }
        for payout, sign in changes
    ]
    if document:
        with connection.cursor() as cursor:
            cursor.execute(RECOUNT, [msgspec.json.encode(document).decode()])


def tidy() -> None:
    """Merge the parts of past hours, and delete the hours that no limit counts any more."""
    with connection.cursor() as cursor:
        cursor.execute(MERGE)
        cursor.execute("DELETE FROM payouts_submittedsum WHERE hour < now() - interval '27 hours'")


# From rows (kind, key, currency, hour, count, amount), each once: for common table expressions after `counted`.
ADD = """
free AS MATERIALIZED (
    SELECT counted.*, part.id FROM counted CROSS JOIN LATERAL (
        SELECT id FROM payouts_submittedsum AS s
        WHERE (s.kind, s.key, s.currency, s.hour) = (counted.kind, counted.key, counted.currency, counted.hour)
        ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) AS part
), added AS (
    UPDATE payouts_submittedsum AS s SET count = s.count + free.count, amount = s.amount + free.amount
    FROM free WHERE s.id = free.id
), begun AS (
    INSERT INTO payouts_submittedsum (kind, key, currency, hour, count, amount)
    SELECT kind, key, currency, hour, count, amount FROM counted
    WHERE NOT EXISTS (SELECT FROM free WHERE (free.kind, free.key, free.currency, free.hour)
                                           = (counted.kind, counted.key, counted.currency, counted.hour))
)
"""
# The hours that reach into the last 24, of the kind and key that are put in; `amount` and `currency` are parameters.
SUM = """
coalesce((SELECT sum(amount) FROM payouts_submittedsum
          WHERE kind = {kind} AND key = {key} AND currency = %(currency)s AND hour > now() - interval '25 hours'), 0)
"""
OF_CURRENCY = SUM.format(kind="'currency'", key="''::bytea")
OF_RECIPIENT = SUM.format(kind="'recipient'", key="%(recipient_index)s")
RECOUNT = f"""
WITH changed AS (
    SELECT * FROM jsonb_to_recordset(%s::jsonb)
        AS c (key bytea, currency varchar, amount numeric, at timestamptz, sign integer)
    JOIN payouts_payoutlimit AS l USING (currency)
    WHERE at > now() - interval '26 hours' AND at > l.counts_from + interval '2 minutes'
), counted AS MATERIALIZED (
    SELECT kind, w.key, currency, date_trunc('hour', at, 'UTC') AS hour,
           sum(sign) AS count, sum(sign * amount) AS amount
    FROM changed CROSS JOIN LATERAL (
        VALUES ('currency', ''::bytea, day_amount),
               ('recipient', changed.key, recipient_amount)) AS w (kind, key, most)
    WHERE most IS NOT NULL
    GROUP BY 1, 2, 3, 4
), {ADD}
SELECT
"""  # noqa: S608 (constants)
MERGE = """
WITH crowded AS (
    SELECT kind, key, currency, hour FROM payouts_submittedsum
    WHERE hour < date_trunc('hour', now(), 'UTC') GROUP BY 1, 2, 3, 4 HAVING count(*) > 1
), taken AS MATERIALIZED (
    SELECT s.id FROM payouts_submittedsum AS s JOIN crowded USING (kind, key, currency, hour)
    FOR UPDATE OF s SKIP LOCKED
), gone AS (
    DELETE FROM payouts_submittedsum AS s USING taken WHERE s.id = taken.id RETURNING s.*
)
INSERT INTO payouts_submittedsum (kind, key, currency, hour, count, amount)
SELECT kind, key, currency, hour, sum(count), sum(amount) FROM gone GROUP BY 1, 2, 3, 4
"""
