"""A process that submits payouts, and pays them through a provider of its own that answers at once.

    python -m tests.bench.worker

Reads commands, a line each, and prints a line when each is done: `submit N`, or `pump` to run the worker's pump until
nothing is due.
"""

import sys
import uuid
from decimal import Decimal

import django

django.setup()

from django.db import connection  # noqa: E402

from payouts import actions  # noqa: E402
from payouts.models import ApiClient  # noqa: E402
from payouts.providers import Answer, Instruction, Verdict  # noqa: E402
from payouts.providers.registry import MAKERS  # noqa: E402
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


def main() -> None:
    connection.ensure_connection()
    instant = Instant()
    MAKERS[instant.name] = lambda: instant
    for line in sys.stdin:
        match line.split():
            case ["submit", count]:
                submit(int(count))
            case ["pump"]:
                pump.run()
        print("done", flush=True)


if __name__ == "__main__":
    main()
