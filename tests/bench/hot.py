"""What must not grow on the way of a POST and of a claim: each beside the same without it, in one run.

A POST in a currency with a limit of a day and of a recipient, to one recipient who has got very many payouts, beside
a POST in a currency with no limit to recipients who have got none. A claim while a paused provider has very many
payouts due, beside a claim while it has none.
"""

import operator
import statistics
from collections.abc import Iterator, Sequence
from importlib import import_module

import psycopg

from tests.bench import fill
from tests.bench.api import BODY_CHOICES, HEAD, check_answers, load
from tests.bench.figures import Figure
from tests.bench.numbers import Numbers
from tests.bench.stand import Program, Stand

# Where each POST goes. The bands ask for no approval below 1,000 in both; without a key the duplicate rule looks too.
CALM, HOT = "EUR", "RUB"
BODIES = {
    CALM: '{"user_id": %(user)d, "amount": %(units)d.50, "currency": "EUR", '
    '"recipient_details": {"card": "0000 1111 %(low)d %(high)d"}, "comment": "Bonus"}',
    HOT: '{"user_id": %(user)d, "amount": %(units)d.50, "currency": "RUB", '
    '"recipient_details": {"card": "0000 1111 2222 3333"}, "comment": "Bonus"}',
}
CHOICES = BODY_CHOICES | {"units": (100, 999)}
CONNECTIONS = 8
TARGET = 0.8
CLAIMED_AT_ONCE = 10

# Of the recipient of the newest payout, spread over the last 23 hours.
OF_ONE = """
UPDATE payouts_payout SET recipient_index = (SELECT recipient_index FROM payouts_payout ORDER BY id DESC LIMIT 1),
    created_at = now() - random() * interval '23 hours'
WHERE id BETWEEN %s AND %s
"""
PAUSED = """
WITH person AS (INSERT INTO auth_user (username, password, is_superuser, first_name, last_name, email, is_staff,
                                       is_active, date_joined)
                VALUES ('operator', '', false, '', '', '', true, true, now()) RETURNING id)
INSERT INTO payouts_providerpause (provider, paused_by_id, pause_reason, resume_reason)
SELECT 'other', id, 'A bench.', '' FROM person
"""
DUE = """
UPDATE payouts_payout SET provider = 'other', status = 'pending', version = 1, processed_at = NULL,
    due_at = now() - random() * interval '1 hour'
WHERE id BETWEEN %s AND %s
"""
NO_LONGER_DUE = "UPDATE payouts_payout SET due_at = NULL WHERE id BETWEEN %s AND %s"


def measure(stand: Stand, numbers: Numbers) -> Iterator[Figure]:
    with stand.web() as (web, port), stand.workers(1) as (worker,):
        _load(stand, web, port, HOT, 2.0)  # somebody has to be the recipient, and the server warm
        ids = fill.fill(stand.services.database, numbers.hot_rows)
        _change(stand, OF_ONE, ids)
        worker.ask("limits")
        _change(stand, import_module("payouts.migrations.0026_submitted_sums_filled").FILL)
        yield _posts(stand, web, port, numbers)
        yield _claims(stand, worker, ids, numbers)


def _posts(stand: Stand, web: Program, port: int, numbers: Numbers) -> Figure:
    rates: dict[str, list[float]] = {CALM: [], HOT: []}
    for number in range(numbers.rounds):
        for currency in rates if number % 2 else reversed(rates):
            rates[currency].append(_load(stand, web, port, currency, numbers.round_seconds))
    return Figure(
        f"POST, limits, {numbers.hot_rows:,} payouts to its recipient in a day",
        "/s",
        statistics.median(rates[HOT]),
        TARGET,
        bare=statistics.median(rates[CALM]),
        paired=statistics.median(map(operator.truediv, rates[HOT], rates[CALM])),
        note="beside a POST in a currency with no limit, to recipients with no other payout",
    )


def _load(stand: Stand, web: Program, port: int, currency: str, seconds: float) -> float:
    length = len(BODIES[currency] % {name: first for name, (first, _) in CHOICES.items()})
    head = HEAD.format(method="POST", path="/api/payouts/", key=stand.key)
    result = load(
        stand,
        {
            "port": port,
            "connections": CONNECTIONS,
            "seconds": seconds,
            "template": f"{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{BODIES[currency]}",
            "choices": CHOICES,
        },
    )
    check_answers(f"POST in {currency}", "api", result, web)
    return float(result["per_second"])


def _claims(stand: Stand, worker: Program, ids: tuple[int, int], numbers: Numbers) -> Figure:
    """Before, while and after they are due: what else the machine does meets some of each."""
    order = f"claim {numbers.claims} {CLAIMED_AT_ONCE}"
    worker.ask(f"submit {3 * CLAIMED_AT_ONCE * numbers.claims}")
    before = float(worker.ask(order))
    _change(stand, PAUSED)
    _change(stand, DUE, ids)
    beside = float(worker.ask(order))
    _change(stand, NO_LONGER_DUE, ids)
    after = float(worker.ask(order))
    return Figure(
        f"claims of {CLAIMED_AT_ONCE}, {numbers.hot_rows:,} due at a paused provider",
        "/s",
        1 / beside,
        TARGET,
        bare=2 / (before + after),
        note="beside the same claims while nothing is due there",
    )


def _change(stand: Stand, statement: str, values: Sequence[int] = ()) -> None:
    with psycopg.connect(stand.services.database, autocommit=True) as connection:
        connection.execute(statement, values or None)
        connection.execute("VACUUM (ANALYZE) payouts_payout, payouts_submittedsum")
