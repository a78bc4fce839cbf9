"""What a file said of recipients goes when its batch has been over for long enough; nothing else does."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from payouts import recipients, tasks
from payouts.actions import erasure
from payouts.batches import retention
from payouts.batches.seals import check_rows
from payouts.models import Batch, BatchRow, BatchState, Payout
from tests import recipes
from tests.payouts.observe import by_hand, is_clean, queued
from tests.recipes import BATCH_ROWS

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _a_month(settings: Any) -> None:
    settings.FILES_RETENTION_DAYS = 30


def over_since(batch: Batch, days: int) -> None:
    at = timezone.now() - timedelta(days=days)
    by_hand("UPDATE payouts_batch SET finished_at = %s WHERE id = %s", at, batch.pk)


def test_a_batch_that_is_over_keeps_its_seals_and_no_recipient() -> None:
    batch = recipes.submitted_batch(*BATCH_ROWS)
    over_since(batch, 31)

    tasks.prune()
    assert queued("payouts.tasks.forget_batches") == [(0,)]
    tasks.forget_batches(0)

    batch = Batch.objects.get(pk=batch.pk)
    rows = list(batch.rows.order_by("number"))
    assert batch.forgotten_at is not None
    assert {(row.recipient, row.given, str(row.recipient_masked)) for row in rows} == {("", "", "{}")}
    assert batch.is_sealed
    check_rows(batch)
    assert batch.state == BatchState.SUBMITTED
    assert all(payout.recipient_details for payout in Payout.objects.all())
    assert is_clean()


def test_those_that_one_task_does_not_come_to_are_left_to_the_next(settings: Any) -> None:
    settings.Q_TIMEOUT_SECONDS = -1
    altered, batch = recipes.submitted_batch(*BATCH_ROWS), recipes.submitted_batch(*BATCH_ROWS[:1])
    for each in (altered, batch):
        over_since(each, 31)
    by_hand("UPDATE payouts_batchrow SET amount = amount + 1 WHERE batch_id = %s", altered.pk)

    tasks.forget_batches(0)
    assert queued("payouts.tasks.forget_batches") == [(altered.pk,)]
    tasks.forget_batches(altered.pk)

    assert Batch.objects.get(pk=altered.pk).forgotten_at is None
    assert Batch.objects.get(pk=batch.pk).forgotten_at is not None


@pytest.mark.parametrize(
    "make", [recipes.checked_batch, recipes.sent_batch, recipes.approved_batch, recipes.submitted_batch]
)
def test_a_batch_that_is_not_over_or_not_for_long_keeps_them(make: Callable[[], Batch]) -> None:
    batch = make()

    retention.forget()

    assert all(row.recipient_details for row in batch.rows.filter(is_valid=True))


def test_nothing_goes_while_no_time_is_set(settings: Any) -> None:
    over_since(recipes.submitted_batch(), 1_000)
    settings.FILES_RETENTION_DAYS = 0

    retention.forget()

    assert Batch.objects.get().forgotten_at is None


def test_a_batch_that_sql_changed_is_not_sealed_anew() -> None:
    batch = recipes.submitted_batch()
    over_since(batch, 31)
    by_hand("UPDATE payouts_batchrow SET amount = amount + 1 WHERE batch_id = %s", batch.pk)

    retention.forget()

    assert Batch.objects.get(pk=batch.pk).forgotten_at is None


def test_a_batch_that_nobody_sent_is_discarded_and_forgotten() -> None:
    batch = recipes.checked_batch(*BATCH_ROWS)
    by_hand("UPDATE payouts_batch SET checked_at = %s WHERE id = %s", timezone.now() - timedelta(days=31), batch.pk)

    retention.forget()

    batch = Batch.objects.get(pk=batch.pk)
    assert (batch.state, batch.is_sealed) == (BatchState.DISCARDED, True)
    assert batch.forgotten_at is not None
    assert {row.recipient for row in batch.rows.all()} == {""}
    assert is_clean()


def test_rows_of_who_was_erased_say_the_day_and_the_others_stay(settings: Any) -> None:
    settings.FILES_RETENTION_DAYS = 0
    batch = recipes.submitted_batch(*BATCH_ROWS)
    row, *others = batch.rows.filter(is_valid=True).order_by("number")
    two = {"proposed_by": recipes.person.make(), "confirmed_by": recipes.person.make()}

    erasure.erase(row.recipient_key, at=timezone.now(), reason="Letter.", **two)
    assert queued("payouts.tasks.forget_batches") == [(0,)]
    tasks.forget_batches(0)

    row = BatchRow.objects.get(pk=row.pk)
    assert row.recipient_masked == recipients.erased(timezone.localdate())
    assert row.is_sealed
    for other in others:
        assert BatchRow.objects.get(pk=other.pk).recipient_masked == other.recipient_masked
    check_rows(Batch.objects.get(pk=batch.pk))
    assert Batch.objects.get(pk=batch.pk).is_sealed
