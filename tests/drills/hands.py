"""Does in Django what no call over HTTP does: submits many, schedules, decides, rings too often.

    python -m tests.drills.hands

Each line of its standard input is a JSON array, the name of a function here and its arguments; it answers with a line
of JSON.
"""

import json
import sys
import uuid
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.utils import timezone  # noqa: E402
from django_q.models import Schedule  # noqa: E402
from django_q.tasks import async_task  # noqa: E402

from payouts import actions, doorbell  # noqa: E402
from payouts.models import AccountBalance, ApiClient, Authenticator, Route, UnknownPayment  # noqa: E402
from payouts.staff import second_factor  # noqa: E402
from payouts.statements import apply, read  # noqa: E402
from payouts.worker import balances  # noqa: E402
from tests.bench import sealed  # noqa: E402


def people(password: str) -> dict[str, list[str]]:
    """Two who may do everything in the back office; returns the backup codes of their second factor."""
    codes = {}
    for name in ("operator", "approver"):
        person = User.objects.create_superuser(name, password=password)
        Authenticator.objects.create(user=person, name="authenticator", confirmed=True)
        codes[name] = second_factor.new_backup_codes(person)
    return codes


def submit(
    count: int,
    *,
    later_seconds: float = 0.0,
    amount: str = "100.50",
    with_pumps: int = 0,
    keys: str = "",
    way: str = "card",
) -> list[int]:
    """Returns the ids. `way` is how the recipients are paid: `card` or `wallet`.

    With `with_pumps` so many pump tasks are enqueued for each, whatever rings there are.

    With `keys` their idempotency keys begin with it, and are the same in every call.
    """
    client = ApiClient.objects.get(name="drills")
    scheduled_for = timezone.now() + timedelta(seconds=later_seconds) if later_seconds else None
    ids = []
    for number in range(count):
        payout = actions.submit(
            client=client,
            user_id=1 + number,
            amount=Decimal(amount),
            currency="RUB",
            recipient=_recipient(way, number),
            scheduled_for=scheduled_for,
            # Or the same ones of a later call would be possible duplicates.
            idempotency_key=f"{keys}-{number}" if keys else uuid.uuid4().hex,
        )
        ids.append(payout.pk)
        for _ in range(with_pumps):
            async_task(doorbell.PUMP)
    return ids


def _recipient(way: str, number: int) -> dict[str, object]:
    if way == "wallet":
        return {"wallet": f"4100{number:011}"}
    return {"card": f"0000 1111 {number // 10_000:04} {number % 10_000:04}"}


def ask_balance() -> str:
    """As each minute does; returns the balance of the one account that there is, as it was told last."""
    balances.poll()
    return str(AccountBalance.objects.get().amount)


def route_everything(account: str) -> None:
    """A route that fits each payout is in force."""
    Route.objects.create(position=10, account=account)


def schedule(payout_id: int, later_seconds: float) -> bool:
    """Put the payment off, or let it go for 0 seconds; False when it is refused."""
    client = ApiClient.objects.get(name="drills")
    scheduled_for = timezone.now() + timedelta(seconds=later_seconds) if later_seconds else None
    try:
        actions.schedule(payout_id, by=client, scheduled_for=scheduled_for)
    except actions.NotAllowedError:
        return False
    return True


def decide(name: str, ids: list[int]) -> int:
    """The operator's decision on each, such as retry; returns how many were not refused."""
    operator, done = User.objects.get(username="operator"), 0
    for payout_id in ids:
        with suppress(actions.NotAllowedError):
            getattr(actions, name)(payout_id, by=operator, reason="A drill.")
            done += 1
    return done


def reconcile(report: str) -> dict[str, str]:
    """Upload the provider's report and compare it; returns what is red then: unknown payments and their amounts."""
    uploader, _is_new = User.objects.get_or_create(username="accountant")
    apply.run(read.store(report.encode(), name="ledger.csv", by=uploader).pk)
    return {str(each.reference): str(each.amount) for each in UnknownPayment.objects.filter(closed_at=None)}


def old_payouts(database: str, rows: int) -> list[int]:
    """Paid ones of the last year; returns the first id and the last. The URL is that of the tables' owner."""
    return list(sealed.fill(database, rows, client="drills"))


def come_back(ids: list[int]) -> int:
    """The bank gives the money of each back; returns how many were not refused."""
    operator, done = User.objects.get(username="operator"), 0
    for payout_id in ids:
        with suppress(actions.NotAllowedError):
            actions.record_return(payout_id, by=operator, evidence="Statement of 15 January, line 2")
            done += 1
    return done


def double_schedules() -> int:
    """Every schedule twice, and all of them due now; returns how many there are."""
    for each in Schedule.objects.all():
        each.pk = None
        each.save(force_insert=True)
    Schedule.objects.update(next_run=timezone.now())
    return Schedule.objects.count()


def main() -> None:
    known = (
        people,
        submit,
        ask_balance,
        route_everything,
        schedule,
        decide,
        reconcile,
        old_payouts,
        come_back,
        double_schedules,
    )
    orders = {each.__name__: each for each in known}
    for line in sys.stdin:
        name, arguments, options = json.loads(line)
        print(json.dumps(orders[name](*arguments, **options)), flush=True)


if __name__ == "__main__":
    main()
