"""A great many payouts, made in SQL: every constraint holds, their histories are whole in form.

For the API and the worker all are finished; for the back office some of the newest are open, in every stage. Their
seals are no seals, so `manage.py audit` would name each of them. Nothing here opens one: the API reads the
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
    failure_code, failure_message, created_at, updated_at, processed_at, lost_leases, event_head, seal
)
SELECT i, gen_random_uuid(), c.id,
       CASE WHEN (i - %(base)s) %% %(every)s = 0 THEN %(busy)s ELSE 1 + i %% %(users)s END,
       100.50 + i %% 1000, (%(currencies)s::text[])[1 + i %% cardinality(%(currencies)s::text[])],
       rpad('gAAAAA', 140, md5(i::text)),
       '{"card": "0000 11•• •••• 3333"}', h.hash, 'Оплата бонуса', h.hash, md5(i::text), 'http', '{card_checksum}',
       'processed', 3, 0, 0, '', '', '', t.at, t.at, t.at, 0, h.hash, h.hash
FROM generate_series(%(base)s::bigint + 1, %(base)s::bigint + %(rows)s) AS i,
     LATERAL (
         SELECT id FROM payouts_apiclient
         WHERE name = (%(clients)s::text[])[1 + (i / 7) %% cardinality(%(clients)s::text[])]
     ) AS c,
     LATERAL (SELECT sha256(i::text::bytea) AS hash) AS h,
     LATERAL (SELECT now() - (%(base)s + %(rows)s - i) * %(gap)s * interval '1 second' AS at) AS t
"""
EVENTS = """
INSERT INTO payouts_event (payout_id, seq, event, from_status, to_status, at, actor, reason, trace_id, facts, mac)
SELECT p.id, e.seq, e.event, e.from_status, e.to_status, p.created_at, e.actor, '', p.trace_id, '{}', p.seal
FROM payouts_payout AS p,
     (VALUES (1, 'submitted', NULL, 'pending', 'client:bench'),
             (2, 'claimed', 'pending', 'processing', 'system:worker'),
             (3, 'succeeded', 'processing', 'processed', 'system:worker')
     ) AS e (seq, event, from_status, to_status, actor)
WHERE p.id > %(base)s AND e.seq <= p.version
ORDER BY p.id, e.seq
"""
ATTEMPTS = """
INSERT INTO payouts_attempt (
    payout_id, reference, number, provider, outcome, calls, provider_id, last_called_at, last_code, last_message,
    last_answer, created_at, finished_at
)
SELECT id, gen_random_uuid(), 1, 'http', o.outcome, 1, 'bench_' || reference, created_at, '', '', '', created_at,
       CASE WHEN o.outcome <> 'open' THEN created_at END
FROM payouts_payout, LATERAL (
    SELECT CASE status WHEN 'failed' THEN 'refused' WHEN 'processed' THEN 'succeeded' ELSE 'open' END AS outcome
) AS o
WHERE id > %(base)s AND version >= 2
"""
# Every second one of the newest, a stage after the other. The CASEs keep every constraint.
OPEN = """
UPDATE payouts_payout AS p SET
    status = (%(statuses)s::text[])[1 + o.stage],
    version = CASE WHEN o.stage IN (2, 3, 6) THEN 2 ELSE 1 END,
    approvals_required = CASE WHEN o.stage = 0 THEN 1 ELSE 0 END,
    held_at = CASE WHEN o.stage = 1 THEN p.created_at END,
    held_by_id = CASE WHEN o.stage = 1 THEN %(person)s::int END,
    failure_code = CASE WHEN o.stage = 3 THEN 'account_closed' ELSE '' END,
    scheduled_for = CASE WHEN o.stage = 4 THEN now() + interval '2 days' END,
    due_at = CASE WHEN o.stage IN (2, 4, 5, 6) THEN now() + interval '2 days' END,
    processed_at = NULL
FROM (SELECT id, id / 2 %% 7 AS stage FROM payouts_payout) AS o
WHERE o.id = p.id AND p.id > %(base)s + %(rows)s - 14 * %(open)s AND p.id %% 2 = 0
"""
# In the order of `stage` above: waiting for approval, held, unknown, failed, scheduled, ready, processing.
STATUSES = ["pending", "pending", "unknown", "failed", "pending", "pending", "processing"]
FLAGGED = """
UPDATE payouts_payout SET attention = 'missing'
WHERE id > %(base)s AND status = 'processed' AND (id - %(base)s) %% %(flagged_every)s = 1
"""
CLOSED = """
UPDATE payouts_payout SET
    status = (ARRAY['rejected', 'cancelled'])[1 + id / 64 %% 2], version = 1, processed_at = NULL
WHERE id > %(base)s AND status = 'processed' AND attention = '' AND id %% 64 = 3
"""

# One in twenty was approved, all by the person who looks: nobody has more to tell from what waits for them.
APPROVALS = """
INSERT INTO payouts_approval (payout_id, checker_id, decision, number, terms_hash, evidence, at, mac)
SELECT id, %(person)s::int, 'approve', 1, terms_hash, '', created_at, seal
FROM payouts_payout WHERE id > %(base)s AND status = 'processed' AND id %% 20 = 0
"""


# A day of every minute, for the pictures of the operations page.
SAMPLES = """
INSERT INTO payouts_minutesample (at, provider, paid, refused, unknown, calls, due, oldest_seconds)
SELECT minute, provider, 40, 1, 1, array_fill(3, ARRAY[24]), 12, 5
FROM generate_series(date_trunc('minute', now()) - interval '1 day', now(), '1 minute') AS minute,
     unnest('{http,main,spare}'::text[]) AS provider
ON CONFLICT DO NOTHING
"""


TABLES = ("payouts_payout", "payouts_event", "payouts_attempt", "payouts_approval")
# Built once the rows are there: filling takes less than half the time that it takes with them in place. Foreign keys
# go first and come last: they rest on the others.
BUILT_AFTERWARDS = """
SELECT contype, format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname),
       format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint
WHERE contype = 'u' AND conrelid = ANY (%(tables)s::regclass[])
   OR contype = 'f' AND (conrelid = ANY (%(tables)s::regclass[]) OR confrelid = ANY (%(tables)s::regclass[]))
UNION ALL
SELECT 'x', format('DROP INDEX %%I', relname), pg_get_indexdef(indexrelid)
FROM pg_index JOIN pg_class ON oid = indexrelid
WHERE indrelid = ANY (%(tables)s::regclass[])
  AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('u', 'p'))
ORDER BY 1
"""
YEAR_SECONDS = 365 * 24 * 3600


def fill(database: str, rows: int) -> tuple[int, int]:
    """Add finished payouts of the client `bench`; returns the first and the last id. They belong to many users.

    One user, BUSY_USER, has BUSY_ROWS of them, spread over the whole table.
    """
    return _add(database, rows, gap=2, clients=["bench"], currencies=["RUB"], changes=())


def fill_office(database: str, rows: int, *, person: int, clients: list[str]) -> tuple[int, int]:
    """Add a year of payouts of these clients; returns the first and the last id.

    Nearly all are processed; a few are rejected, cancelled or flagged, and of the newest `open_in_each_stage` are
    open in each stage, the held ones by the person.
    """
    currencies = ["RUB"] * 16 + ["USD"] * 2 + ["EUR", "KZT"]
    changes = (OPEN, FLAGGED, CLOSED, APPROVALS, SAMPLES)
    return _add(
        database,
        rows,
        gap=YEAR_SECONDS / rows,
        clients=clients,
        currencies=currencies,
        changes=changes,
        open=open_in_each_stage(rows),
        person=person,
        statuses=STATUSES,
        flagged_every=max(50, rows // 500),
    )


def open_in_each_stage(rows: int) -> int:
    return min(3_000, rows // 50)


def _add(database: str, rows: int, *, changes: tuple[str, ...], **given: object) -> tuple[int, int]:
    with psycopg.connect(database) as connection:
        base = connection.execute("SELECT coalesce(max(id), 0) FROM payouts_payout").fetchone()[0]
        every = max(1, rows // BUSY_ROWS)
        values = {"base": base, "rows": rows, "every": every, "busy": BUSY_USER, "users": USERS, **given}
        connection.execute("SET LOCAL synchronous_commit = off")
        connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
        built = connection.execute(BUILT_AFTERWARDS, {"tables": list(TABLES)}).fetchall()
        for _, drop, _ in built:
            connection.execute(drop)
        for statement in (PAYOUTS, *changes, EVENTS, ATTEMPTS):
            connection.execute(statement, values)
    # An index that is built over rows with former versions still there serves nobody until every transaction of the
    # whole server that is open now has ended (pg_index.indcheckxmin).
    _vacuum(database, "VACUUM")
    with psycopg.connect(database) as connection:
        connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
        for _, _, build in reversed(built):
            connection.execute(build)
        connection.execute("SELECT setval(pg_get_serial_sequence('payouts_payout', 'id'), %s)", [base + rows])
    _vacuum(database, "VACUUM (ANALYZE)")
    return base + 1, base + rows


def _vacuum(database: str, statement: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"{statement} {', '.join(TABLES)}")
