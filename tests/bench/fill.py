"""A great many finished payouts, made in SQL: every constraint holds, their histories are whole in form.

Their seals are no seals, so `manage.py audit` would name each of them. Nothing here opens one: the API reads the
public columns, and the worker looks at what is due.
"""

import psycopg

USERS = 5_000
BUSY_USER = 1_000_000
BUSY_ROWS = 125  # one page of 100, and some

PAYOUTS = """
INSERT INTO payouts_payout (
    id, reference, client_id, user_id, amount, currency, recipient, recipient_masked, recipient_index, comment,
    terms_hash, trace_id, provider, review_flags, status, version, approvals_required, approvals_given, attention,
    failure_code, failure_message, created_at, updated_at, processed_at, event_head, seal
)
SELECT i, gen_random_uuid(), c.id,
       CASE WHEN (i - %(base)s) %% %(every)s = 0 THEN %(busy)s ELSE 1 + i %% %(users)s END,
       100.50 + i %% 1000, 'RUB', rpad('gAAAAA', 140, md5(i::text)),
       '{"card": "0000 11•• •••• 3333"}', h.hash, 'Оплата бонуса', h.hash, md5(i::text), 'http', '{card_checksum}',
       'processed', 3, 0, 0, '', '', '', t.at, t.at, t.at, h.hash, h.hash
FROM generate_series(%(base)s::bigint + 1, %(base)s::bigint + %(rows)s) AS i,
     (SELECT id FROM payouts_apiclient WHERE name = 'bench') AS c,
     LATERAL (SELECT sha256(i::text::bytea) AS hash) AS h,
     LATERAL (SELECT now() - (%(base)s + %(rows)s - i) * interval '2 seconds' AS at) AS t
"""
EVENTS = """
INSERT INTO payouts_event (payout_id, seq, event, from_status, to_status, at, actor, reason, trace_id, facts, mac)
SELECT p.id, e.seq, e.event, e.from_status, e.to_status, p.created_at, e.actor, '', p.trace_id, '{}', p.seal
FROM payouts_payout AS p,
     (VALUES (1, 'submitted', NULL, 'pending', 'client:bench'),
             (2, 'claimed', 'pending', 'processing', 'system:worker'),
             (3, 'succeeded', 'processing', 'processed', 'system:worker')
     ) AS e (seq, event, from_status, to_status, actor)
WHERE p.id > %(base)s
ORDER BY p.id, e.seq
"""
ATTEMPTS = """
INSERT INTO payouts_attempt (
    payout_id, reference, number, provider, outcome, calls, provider_id, last_called_at, last_code, last_message,
    last_answer, created_at, finished_at
)
SELECT id, gen_random_uuid(), 1, 'http', 'succeeded', 1, 'bench_' || reference, created_at, '', '', '', created_at,
       created_at
FROM payouts_payout WHERE id > %(base)s
"""


TABLES = ("payouts_payout", "payouts_event", "payouts_attempt", "payouts_exchange")
# Built once the rows are there: filling takes less than half the time that it takes with them in place. Foreign keys
# come first: they stand on what is unique.
BUILT_AFTERWARDS = """
SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname) AS drop,
       format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid)),
       contype = 'f' AS stands_on_others
FROM pg_constraint WHERE conrelid = ANY (%(tables)s::regclass[]) AND contype IN ('u', 'f')
UNION ALL
SELECT format('DROP INDEX %%I', relname), pg_get_indexdef(indexrelid), false
FROM pg_index JOIN pg_class ON oid = indexrelid
WHERE indrelid = ANY (%(tables)s::regclass[])
  AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('u', 'p'))
ORDER BY stands_on_others DESC
"""


def fill(database: str, rows: int) -> tuple[int, int]:
    """Add finished payouts of the client `bench`; returns the first and the last id. They belong to many users.

    One user, BUSY_USER, has BUSY_ROWS of them, spread over the whole table.
    """
    with psycopg.connect(database) as connection:
        base = connection.execute("SELECT coalesce(max(id), 0) FROM payouts_payout").fetchone()[0]
        values = {"base": base, "rows": rows, "every": max(1, rows // BUSY_ROWS), "busy": BUSY_USER, "users": USERS}
        connection.execute("SET LOCAL synchronous_commit = off")
        connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
        built = connection.execute(BUILT_AFTERWARDS, {"tables": list(TABLES)}).fetchall()
        for drop, *_ in built:
            connection.execute(drop)
        for statement in (PAYOUTS, EVENTS, ATTEMPTS):
            connection.execute(statement, values)
        for _, build, _ in reversed(built):
            connection.execute(build)
        connection.execute("SELECT setval(pg_get_serial_sequence('payouts_payout', 'id'), %s)", [base + rows])
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"VACUUM (ANALYZE) {', '.join(TABLES)}")
    return base + 1, base + rows
