"""A great many paid payouts, made in SQL with the seals that the product would have given them: the audit passes all.

Set by set, with pgcrypto, so that five million take minutes. Every tenth was unknown between its two calls. Call it
in a process whose settings are those of the database, whose owner `database` names.
"""

import json
from decimal import Decimal
from typing import Any

import psycopg

from tests.bench.fill import BUILT_AFTERWARDS

TABLES = ("payouts_payout", "payouts_event", "payouts_attempt", "payouts_exchange")
RECIPIENTS = 1_000
COMMENT = "Bonus"
REASON = "The provider did not answer in time."

# A seal, as payouts.vault makes it.
FUNCTIONS = """
CREATE EXTENSION pgcrypto;
CREATE FUNCTION bench_seal(message text, key_id bytea, secret bytea) RETURNS bytea LANGUAGE sql STABLE AS
$$ SELECT key_id || hmac(convert_to(message, 'UTF8'), secret, 'sha256') $$;
CREATE FUNCTION bench_stamp(moment timestamptz) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"') $$;
CREATE FUNCTION bench_uuid5(space uuid, name text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(set_byte(set_byte(h, 6, get_byte(h, 6) & 15 | 80), 8, get_byte(h, 8) & 63 | 128), 'hex')::uuid
    FROM (SELECT substr(digest(uuid_send(space) || name::bytea, 'sha1'), 1, 16) AS h) AS hashed $$;
CREATE UNLOGGED TABLE bench_recipient (
    n int PRIMARY KEY, user_id bigint, amount numeric, recipient text, masked jsonb, masked_text text, index bytea,
    terms_hash bytea, request_hash bytea
);
"""
NO_FUNCTIONS = """
DROP TABLE bench_recipient, bench_made;
DROP FUNCTION bench_seal, bench_stamp, bench_uuid5;
DROP EXTENSION pgcrypto;
"""
# Each moment has microseconds, so that its stamp has them too. OFFSET 0: each seal is made once.
MADE = """
CREATE UNLOGGED TABLE bench_made AS
SELECT b.*, f.claimed, f.unknown, f.paid, e1.mac AS mac_1, e2.mac AS mac_2, e3.mac AS mac_3, e4.mac AS head,
       'bench-' || b.id AS key, CASE WHEN was_unknown THEN 4 ELSE 3 END AS version
FROM (
    SELECT i AS id, i %% 10 = 0 AS was_unknown, r.*, u.reference, bench_uuid5(u.reference, '1') AS attempt,
           'bench_' || u.reference AS provider_id, md5(i::text) AS trace_id, t.at,
           t.at + interval '300 milliseconds' AS claimed_at, t.at + interval '500 milliseconds' AS unknown_at,
           t.at + interval '800 milliseconds' AS paid_at
    FROM generate_series(%(base)s::bigint + 1, %(base)s::bigint + %(rows)s) AS i
    CROSS JOIN LATERAL (SELECT gen_random_uuid() AS reference WHERE i > 0 OFFSET 0) AS u
    CROSS JOIN LATERAL (
        SELECT date_trunc('second', now() - interval '2 days'
                          - (%(base)s + %(rows)s - i) * %(gap)s * interval '1 second')
               + (100001 + i %% 90000) * interval '1 microsecond' AS at OFFSET 0
    ) AS t
    JOIN bench_recipient r ON r.n = i %% %(recipients)s
) AS b
CROSS JOIN LATERAL (
    SELECT '{"attempt":"' || attempt || '","provider":"http"}' AS claimed,
           '{"attempt":"' || attempt || '","call":1,"code":"timeout"}' AS unknown,
           '{"attempt":"' || attempt || '","call":' || CASE WHEN was_unknown THEN 2 ELSE 1 END || ',"provider_id":"'
           || provider_id || '"}' AS paid,
           '"' || reference || '",' AS named, '"' || trace_id || '",' AS trace
) AS f
CROSS JOIN LATERAL (
    SELECT bench_seal('["",' || named || '1,"submitted",null,"pending","' || bench_stamp(at)
        || '","client:' || %(client_name)s || '","",' || trace || '"{}"]', %(key_id)s, %(event)s) AS mac OFFSET 0
) AS e1
CROSS JOIN LATERAL (
    SELECT bench_seal('["' || encode(e1.mac, 'hex') || '",' || named || '2,"claimed","pending","processing","'
        || bench_stamp(claimed_at) || '","system:worker","",' || trace || to_json(f.claimed) || ']', %(key_id)s,
        %(event)s) AS mac OFFSET 0
) AS e2
CROSS JOIN LATERAL (
    SELECT CASE WHEN was_unknown THEN bench_seal('["' || encode(e2.mac, 'hex') || '",' || named
        || '3,"outcome_unknown","processing","unknown","' || bench_stamp(unknown_at)
        || '","system:worker","{reason}",' || trace || to_json(f.unknown) || ']', %(key_id)s, %(event)s)
        END AS mac OFFSET 0
) AS e3
CROSS JOIN LATERAL (
    SELECT bench_seal('["' || encode(coalesce(e3.mac, e2.mac), 'hex') || '",' || named
        || CASE WHEN was_unknown THEN '4,"succeeded","unknown"' ELSE '3,"succeeded","processing"' END
        || ',"processed","' || bench_stamp(paid_at) || '","system:worker","",' || trace || to_json(f.paid) || ']',
        %(key_id)s, %(event)s) AS mac OFFSET 0
) AS e4
""".replace("{reason}", REASON)
PAYOUTS = """
INSERT INTO payouts_payout (
    id, reference, client_id, user_id, amount, currency, recipient, recipient_masked, recipient_index, comment,
    terms_hash, idempotency_key, request_hash, trace_id, provider, review_flags, status, version, approvals_required,
    approvals_given, attention, failure_code, failure_message, created_at, updated_at, processed_at, lost_leases,
    event_head, seal
)
SELECT id, reference, %(client)s, user_id, amount, 'RUB', recipient, masked, index, 'Bonus', terms_hash, key,
       request_hash, trace_id, 'http', '{}', 'processed', version, 0, 0, '', '', '', at, paid_at, paid_at, 0, head,
       bench_seal('["' || reference || '","' || encode(head, 'hex') || '","' || encode(terms_hash, 'hex') || '",'
           || %(client)s || ',null,' || user_id || ',"Bonus",' || to_json(masked_text) || ',"' || encode(index, 'hex')
           || '","' || bench_stamp(at) || '","http","' || key || '","' || encode(request_hash, 'hex')
           || '","processed",' || version || ',0,0,null,null,"",null,"' || bench_stamp(paid_at) || '",null,null]',
           %(key_id)s, %(payout)s)
FROM bench_made ORDER BY id
"""
EVENTS = """
INSERT INTO payouts_event (payout_id, seq, event, from_status, to_status, at, actor, reason, trace_id, facts, mac)
SELECT m.id, e.seq, e.event, e.from_status, e.to_status, e.at, e.actor, e.reason, m.trace_id, e.facts::jsonb, e.mac
FROM bench_made m
CROSS JOIN LATERAL (VALUES
    (1, 'submitted', NULL, 'pending', m.at, 'client:' || %(client_name)s, '', '{}', mac_1),
    (2, 'claimed', 'pending', 'processing', claimed_at, 'system:worker', '', claimed, mac_2),
    (3, 'outcome_unknown', 'processing', 'unknown', unknown_at, 'system:worker', '{reason}', unknown, mac_3),
    (version, 'succeeded', CASE WHEN was_unknown THEN 'unknown' ELSE 'processing' END, 'processed', paid_at,
     'system:worker', '', paid, head)
) AS e (seq, event, from_status, to_status, at, actor, reason, facts, mac)
WHERE e.mac IS NOT NULL ORDER BY m.id, e.seq
""".replace("{reason}", REASON)
ATTEMPTS = """
INSERT INTO payouts_attempt (
    payout_id, reference, number, provider, outcome, calls, provider_id, last_called_at, last_code, last_message,
    last_answer, created_at, finished_at
)
SELECT id, attempt, 1, 'http', 'succeeded', version - 2, provider_id, claimed_at, '', '', '', claimed_at, paid_at
FROM bench_made ORDER BY id
"""
EXCHANGES = """
INSERT INTO payouts_exchange (
    attempt_id, call, called_at, answered_at, verdict, http_status, code, message, excerpt
)
SELECT m.attempt, x.* FROM bench_made m
CROSS JOIN LATERAL (VALUES
    (version - 2, CASE WHEN was_unknown THEN unknown_at ELSE claimed_at END, paid_at, 'succeeded', 200, '', '',
     '{"id": "' || provider_id || '", "status": "succeeded", "amount": "' || amount || '", "currency": "RUB"}'),
    (CASE WHEN was_unknown THEN 1 END, claimed_at, unknown_at, 'unknown', NULL, 'timeout', '{reason}', '')
) AS x (call, called_at, answered_at, verdict, http_status, code, message, excerpt)
WHERE x.call IS NOT NULL ORDER BY m.id, x.call
""".replace("{reason}", REASON)


def fill(database: str, rows: int, *, days: float = 365, client: str = "bench") -> tuple[int, int]:
    """Add so many payouts of this client, under the keys `bench-ID`, spread over the days that ended two days ago.

    Returns the first and the last id.
    """
    with psycopg.connect(database) as connection:
        ((base,),) = connection.execute("SELECT coalesce(max(id), 0) FROM payouts_payout").fetchall()
        ((client_id,),) = connection.execute("SELECT id FROM payouts_apiclient WHERE name = %s", [client]).fetchall()
        connection.execute("SET LOCAL synchronous_commit = off")
        connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
        connection.execute("SET LOCAL work_mem = '256MB'")
        connection.execute("SET LOCAL timezone = 'UTC'")
        connection.execute(FUNCTIONS)
        _recipients(connection)
        built = connection.execute(BUILT_AFTERWARDS, {"tables": list(TABLES)}).fetchall()
        for _, drop, _ in built:
            connection.execute(drop)
        values = {"base": base, "rows": rows, "gap": days * 86_400 / rows, "recipients": RECIPIENTS}
        values |= {"client": client_id, "client_name": client}
        values |= _keys()
        with psycopg.ClientCursor(connection) as cursor:  # a statement that makes a table takes no parameters
            for statement in (MADE, PAYOUTS, EVENTS, ATTEMPTS, EXCHANGES):
                cursor.execute(statement, values)
        for _, _, build in reversed(built):
            connection.execute(build)
        connection.execute("SELECT setval(pg_get_serial_sequence('payouts_payout', 'id'), %s)", [base + rows])
        connection.execute(NO_FUNCTIONS)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"VACUUM (ANALYZE) {', '.join(TABLES)}")
    return base + 1, base + rows


def _recipients(connection: "psycopg.Connection[Any]") -> None:
    from payouts import vault
    from payouts.models import terms_hash
    from payouts.recipients import blind_index

    with connection.cursor().copy("COPY bench_recipient FROM STDIN") as copy:
        for number in range(RECIPIENTS):
            details = {"card": f"0000 1111 2222 {number:04}"}
            amount = Decimal(100 + number) + Decimal("0.50")
            masked = vault.masked(details)
            token = vault.encrypt(details)
            text = vault.canonical(masked).decode()
            index, terms = blind_index(details), terms_hash(amount, "RUB", details)
            request = vault.fingerprint("request", 1 + number, terms.hex(), COMMENT, None)
            copy.write_row((number, 1 + number, amount, token, json.dumps(masked), text, index, terms, request))


def _keys() -> dict[str, bytes]:
    """What seals are made with, which no database has but the bench's."""
    from django.conf import settings

    from payouts import vault

    (secret, *_others) = settings.EVENT_HMAC_KEYS
    return {
        "key_id": vault.first_key_id(),
        "event": vault._subkey(secret, "event"),
        "payout": vault._subkey(secret, "payout"),
    }
