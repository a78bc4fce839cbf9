"""A great many finished payouts, every one sealed, chained and encrypted: the audit finds nothing wrong with them.

    python -m tests.drills.sound COUNT

One in ten needed an approval, one in twenty was refused once and paid by a second attempt.
"""

import sys
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from payouts import recipients, references, vault  # noqa: E402
from payouts.database import rows  # noqa: E402
from payouts.models import ApiClient, Approval, Attempt, Event, EventName, Payout, terms_hash  # noqa: E402
from payouts.states import Status  # noqa: E402

BATCH = 2_000

type Move = tuple[EventName, Status, dict[str, str]]


class Maker:
    def __init__(self) -> None:
        self.client = ApiClient.objects.get(name="drills")
        self.checker = User.objects.get(username="approver")
        self.began_at = timezone.now() - timedelta(days=30)

    def make(self, payout_id: int) -> tuple[Payout, list[Event], list[Attempt], list[Approval]]:
        at = self.began_at + timedelta(seconds=payout_id)
        is_approved, is_retried = payout_id % 10 == 0, payout_id % 20 == 1
        recipient = {"card": f"0000 1111 {payout_id // 10_000 % 10_000:04} {payout_id % 10_000:04}"}
        amount = Decimal("250000.00") if is_approved else Decimal("100.50")
        payout = Payout(
            pk=payout_id,
            client=self.client,
            user_id=1 + payout_id % 5_000,
            amount=amount,
            currency="RUB",
            recipient=vault.encrypt(recipient),
            recipient_masked=vault.masked(recipient),
            recipient_index=recipients.blind_index(recipient),
            comment="Оплата бонуса",
            terms_hash=terms_hash(amount, "RUB", recipient),
            trace_id=uuid.uuid4().hex,
            provider="http",
            status=Status.PROCESSED.value,
            version=0,
            approvals_required=int(is_approved),
            approvals_given=int(is_approved),
            created_at=at,
            updated_at=at,
            processed_at=at,
            event_head=b"",
        )
        attempts = [
            _attempt(payout, number, is_refused=is_retried and number == 1) for number in range(1, 2 + is_retried)
        ]
        approvals = [self._approval(payout)] if is_approved else []
        events = [_event(payout, *move) for move in _moves(attempts, is_approved=is_approved)]
        payout.seal = payout.expected_seal()
        return payout, events, attempts, approvals

    def _approval(self, payout: Payout) -> Approval:
        approval = Approval(
            payout=payout,
            checker=self.checker,
            decision=Approval.Decision.APPROVE.value,
            terms_hash=payout.terms_hash,
            at=payout.created_at,
        )
        approval.mac = approval.expected_mac(payout.reference)
        return approval


def _attempt(payout: Payout, number: int, *, is_refused: bool) -> Attempt:
    return Attempt(
        reference=references.attempt_reference(payout.reference, number),
        payout=payout,
        number=number,
        provider="http",
        outcome=(Attempt.Outcome.REFUSED if is_refused else Attempt.Outcome.SUCCEEDED).value,
        calls=1,
        provider_id=f"drill_{payout.pk}_{number}",
        last_called_at=payout.created_at,
        created_at=payout.created_at,
        finished_at=payout.created_at,
    )


def _moves(attempts: Sequence[Attempt], *, is_approved: bool) -> Iterator[Move]:
    yield EventName.SUBMITTED, Status.PENDING, {}
    if is_approved:
        yield EventName.APPROVED, Status.PENDING, {}
    for attempt in attempts:
        facts = {"attempt": str(attempt.reference), "provider": "http"}
        yield EventName.CLAIMED, Status.PROCESSING, facts
        if attempt.outcome == Attempt.Outcome.REFUSED:
            yield EventName.REFUSED, Status.FAILED, facts
            yield EventName.RETRIED, Status.PENDING, {}
        else:
            yield EventName.SUCCEEDED, Status.PROCESSED, facts


def _event(payout: Payout, name: EventName, to_status: Status, facts: dict[str, str]) -> Event:
    """The next link of the payout's chain."""
    before = payout.status if payout.version else None
    payout.version += 1
    payout.status = to_status.value
    event = Event(
        payout=payout,
        seq=payout.version,
        event=name.value,
        from_status=before,
        to_status=to_status.value,
        at=payout.created_at,
        actor="system:worker",
        trace_id=payout.trace_id,
        facts=facts,
    )
    event.mac = payout.event_head = event.expected_mac(bytes(payout.event_head), payout.reference)
    return event


def fill(count: int) -> None:
    maker = Maker()
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("SELECT coalesce(max(id), 0) FROM payouts_payout")
        (base,) = cursor.fetchone()
    for begin in range(base + 1, base + count + 1, BATCH):
        made = [maker.make(number) for number in range(begin, min(begin + BATCH, base + count + 1))]
        with transaction.atomic():
            rows.insert([payout for payout, *_ in made])
            rows.insert(
                [event for _, events, _, _ in made for event in events],
                [attempt for _, _, attempts, _ in made for attempt in attempts],
                [approval for *_, approvals in made for approval in approvals],
            )
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('payouts_payout', 'id'), %s)", [base + count])
        cursor.execute("ANALYZE payouts_payout, payouts_event, payouts_attempt, payouts_approval")


if __name__ == "__main__":
    fill(int(sys.argv[1]))
