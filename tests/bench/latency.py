"""From POST to processed on an idle system: web, cluster, and a provider that answers at once over HTTP."""

import http.client
import json
import random
import statistics
import time
import uuid
from collections.abc import Iterator

from tests.bench.figures import Figure
from tests.bench.stand import BenchError, Stand

WARM_UP = 8
LOOK_SECONDS = 0.01
PATIENCE_SECONDS = 120
BODY = json.dumps(
    {
        "user_id": 123,
        "amount": 100.50,
        "currency": "RUB",
        "recipient_details": {"card": "0000 1111 2222 3333"},
        "comment": "Оплата бонуса",
    }
)


def measure(stand: Stand, payouts: int) -> Iterator[Figure]:
    """By the client's own clock, one payout at a time: POST sent, to the answer of the GET that says processed.

    The client looks every LOOK_SECONDS, and pauses for a random time between payouts, so that it falls in with no
    rhythm of the worker.
    """
    with stand.provider(0) as url, stand.web() as (_web, port), stand.cluster(url):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        milliseconds = []
        for number in range(WARM_UP + payouts):
            took = _pay_one(connection, stand.key) * 1000
            if number >= WARM_UP:
                milliseconds.append(took)
            time.sleep(random.uniform(0.1, 0.3))
    percentiles = statistics.quantiles(milliseconds, n=20, method="inclusive")
    yield Figure("POST to processed, p50", "ms", statistics.median(milliseconds), 120, at_most=True)
    yield Figure("POST to processed, p95", "ms", percentiles[18], 250, at_most=True)


def _pay_one(connection: http.client.HTTPConnection, key: str) -> float:
    """Seconds."""
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "X-Forwarded-Proto": "https",
        "Idempotency-Key": uuid.uuid4().hex,  # or all but the first would wait for an approval
    }
    began_at = time.perf_counter()
    connection.request("POST", "/api/payouts/", BODY.encode(), headers)
    answer = connection.getresponse()
    payout = json.loads(answer.read())
    if answer.status != 201:
        raise BenchError(f"The POST was answered with {answer.status}: {payout}")
    while payout["status"] != "processed":
        if time.perf_counter() - began_at > PATIENCE_SECONDS:
            raise BenchError(f"Payout {payout['id']} is {payout['status']} after {PATIENCE_SECONDS} seconds.")
        time.sleep(LOOK_SECONDS)
        connection.request("GET", f"/api/payouts/{payout['id']}/", headers=headers)
        answer = connection.getresponse()
        payout = json.loads(answer.read())
        if answer.status != 200:
            raise BenchError(f"The GET was answered with {answer.status}: {payout}")
    return time.perf_counter() - began_at
