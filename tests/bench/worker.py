"""A process that submits payouts, and pays them through a provider of its own that answers at once.

    python -m tests.bench.worker

Reads commands, a line each, and prints a line when each is done: `submit N`, `pump` to run the worker's pump until
nothing is due, `limits` to set both limits in RUB beyond what is submitted, or `claim TIMES N`, which prints the
seconds that a quarter of the claims of N took at most.
"""

import statistics
import sys
import time
import uuid
from dataclasses import replace
from decimal import Decimal

import django

django.setup()

from django.db import connection  # noqa: E402

from payouts import actions  # noqa: E402
from payouts.models import ApiClient, PayoutLimit  # noqa: E402
from payouts.providers import Answer, Instruction, Verdict  # noqa: E402
from payouts.providers.registry import KINDS  # noqa: E402
from payouts.worker import pump  # noqa: E402


class Instant:
    """Pays everything, at once."""

    name = "http"
    account = "bench"

    def pay(self, instruction: Instruction, *, deadline: float) -> Answer:
        return Answer(Verdict.SUCCEEDED, provider_id=f"bench_{instruction.reference}", http_status=201)

    def look_up(self, instruction: Instruction, *, deadline: float) -> Answer:
        raise AssertionError("every payout of the bench is paid by its first call")


def submit(count: int) -> None:
    client = ApiClient.objects.get(name="bench")
    for number in range(count):
        actions.submit(
            client=client,
            user_id=1 + number % 1_000,
            amount=Decimal("100.50"),
            currency="RUB",
            recipient={"card": f"0000 1111 {number // 10_000:04} {number % 10_000:04}"},
            comment="Оплата бонуса",
            idempotency_key=uuid.uuid4().hex,  # or the other worker's would be possible duplicates
        )


def claim(times: int, count: int) -> float:
    took = []
    for _each in range(times):
        began_at = time.perf_counter()
        claimed = actions.claim(limit=count)
        took.append(time.perf_counter() - began_at)
        assert len(claimed) == count, f"{len(claimed)} claimed of {count}"
    return statistics.quantiles(took, n=4)[0]


def main() -> None:
    connection.ensure_connection()
    instant = Instant()
    KINDS[instant.name] = replace(KINDS[instant.name], make=lambda _account: instant)
    for line in sys.stdin:
        match line.split():
            case ["submit", count]:
                submit(int(count))
            case ["pump"]:
                pump.run()
            case ["limits"]:
                PayoutLimit.objects.create(currency="RUB", day_amount=10**13, recipient_amount=10**13)
            case ["claim", times, count]:
                print(claim(int(times), int(count)), flush=True)
                continue
        print("done", flush=True)


if __name__ == "__main__":
    main()
