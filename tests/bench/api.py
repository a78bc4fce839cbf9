"""The API under load from 8 connections, beside bare views on the same server (wsgi.py)."""

import json
import operator
import statistics
import sys
from collections.abc import Iterator

from tests.bench.figures import Figure
from tests.bench.fill import BUSY_USER
from tests.bench.numbers import Numbers
from tests.bench.stand import BenchError, Cost, Program, Stand

CONNECTIONS = 8
HEAD = (
    "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-Proto: https\r\nAuthorization: Bearer {key}\r\n"
    "Accept: application/json\r\n"
)
# Every number is of a fixed width, so the length of the body is known.
BODY = (
    '{"user_id": %(user)d, "amount": %(units)d.50, "currency": "RUB", '
    '"recipient_details": {"card": "0000 1111 %(low)d %(high)d"}, "comment": "Bonus"}'
)
KEY_CHOICES = {"key": (10**17, 10**18 - 1)}
BODY_CHOICES = {"user": (1_000, 9_999), "units": (1_000, 9_999), "low": (1_000, 9_999), "high": (1_000, 9_999)}


def measure(stand: Stand, ids: tuple[int, int], numbers: Numbers) -> Iterator[Figure]:
    """In turn ours, bare and plain, some rounds, so that what else the machine does meets all of them alike.

    The rates and costs are medians, and the ratio is the median of the rounds' ratios.
    """
    body_length = len(BODY % {name: first for name, (first, _) in BODY_CHOICES.items()})
    json_head = (
        f"Content-Type: application/json\r\nContent-Length: {body_length}\r\nIdempotency-Key: bench-%(key)d\r\n"
    )
    calls = (
        ("GET one", "GET", "%(id)d/", "\r\n", {"id": ids}, 0.50),
        ("list of 100", "GET", "?user_id=%(user)d", "\r\n", {"user": (BUSY_USER, BUSY_USER)}, 0.70),
        ("POST", "POST", "", f"{json_head}\r\n{BODY}", KEY_CHOICES | BODY_CHOICES, 0.40),
    )
    with stand.web() as (web, port):
        for name, method, path, rest, choices, target in calls:
            rates: dict[str, list[float]] = {"api": [], "bare": [], "plain": []}
            costs: dict[str, list[Cost]] = {side: [] for side in rates}
            for number in range(numbers.rounds):
                for side in rates if number % 2 else reversed(rates):
                    head = HEAD.format(method=method, path=f"/{side}/payouts/{path}", key=stand.key)
                    order = {
                        "port": port,
                        "connections": CONNECTIONS,
                        "seconds": numbers.round_seconds,
                        "template": head + rest,
                        "choices": choices,
                    }
                    before = stand.cost(web)
                    result = load(stand, order)
                    rates[side].append(result["per_second"])
                    costs[side].append(stand.cost(web).per_thousand(before, result["answers"]))
                    check_answers(name, side, result, web)
            yield Figure(
                name,
                "/s",
                statistics.median(rates["api"]),
                target,
                bare=statistics.median(rates["bare"]),
                paired=statistics.median(map(operator.truediv, rates["api"], rates["bare"])),
                cost=_median(costs["api"]),
                bare_cost=_median(costs["bare"]),
                note=f"a function without Django's handler answers {statistics.median(rates['plain']):.0f} /s",
            )


def load(stand: Stand, order: dict) -> dict:
    with stand.running("load", "-m", "tests.bench.load") as program:
        assert program.process.stdin is not None
        program.process.stdin.write(json.dumps(order))
        program.process.stdin.close()
        return json.loads(program.ask())


def check_answers(name: str, side: str, result: dict, web: Program) -> None:
    if any(int(status) >= 300 for status in result["statuses"]):
        print(web.log.read_text()[-2000:], file=sys.stderr)
        raise BenchError(f"{name} of {side} was answered with {result['statuses']}: {result['refusal']}")


def _median(costs: list[Cost]) -> Cost:
    return Cost(statistics.median(cost.server for cost in costs), statistics.median(cost.postgres for cost in costs))
