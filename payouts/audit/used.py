"""What velocity limits count as used is no less than what was sent: taken away by SQL, it makes room for more."""

from collections.abc import Iterator

from django.db import connection

from payouts.audit.findings import Broken

# Compared from an hour after a limit was changed last: workers that are being replaced may count by older ones.
LESS_THAN_SENT = """
WITH limits AS MATERIALIZED (
    SELECT scope, currency, "window", greatest(
        statement_timestamp() - ('1 ' || "window")::interval,
        (SELECT max(history_date) FROM payouts_historicalvelocitylimit h WHERE h.id = l.id) + interval '1 hour'
    ) AS since FROM payouts_velocitylimit l
), sent AS MATERIALIZED (
    SELECT l.scope, p.currency, l."window", CASE l.scope
            WHEN 'provider' THEN p.provider
            WHEN 'client' THEN coalesce(p.client_id::text, '')
            WHEN 'recipient' THEN encode(p.recipient_index, 'hex')
            ELSE '' END AS key,
        count(*) AS count, sum(p.amount) AS amount
    FROM payouts_attempt a JOIN payouts_payout p ON p.id = a.payout_id JOIN limits l USING (currency)
    WHERE a.created_at > statement_timestamp() - interval '1 day' AND a.created_at > l.since
    GROUP BY 1, 2, 3, 4
), used AS (
    SELECT scope, currency, "window", key, sum(count) AS count, sum(amount) AS amount FROM payouts_velocityuse
    WHERE bucket_at > statement_timestamp() - ('1 ' || "window")::interval * 13 / 12
    GROUP BY 1, 2, 3, 4
)
SELECT scope, currency, "window", key, sent.count, sent.amount, coalesce(used.count, 0), coalesce(used.amount, 0)
FROM sent LEFT JOIN used USING (scope, currency, "window", key)
WHERE coalesce(used.count, 0) < sent.count OR coalesce(used.amount, 0) < sent.amount
ORDER BY 1, 2, 3, 4 LIMIT 20
"""


def less_than_sent() -> Iterator[Broken]:
    with connection.cursor() as cursor:
        cursor.execute(LESS_THAN_SENT)
        found = cursor.fetchall()
    for scope, currency, window, key, *figures in found:
        count, amount, used_count, used_amount = figures
        yield Broken(
            None,
            "velocity_use_kept",
            f"{currency} within a {window}, {scope} {key}".rstrip()
            + f": {count} payouts with {amount} were sent, {used_count} with {used_amount} are counted",
        )
