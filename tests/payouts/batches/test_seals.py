"""Of a batch that was changed by hand nothing is approved, and nothing is paid."""

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from payouts.batches import decide, submit
from payouts.batches.errors import BatchAlteredError
from payouts.models import Batch, BatchState, Payout
from tests.payouts.observe import audit_of, by_hand
from tests.recipes import BATCH_ROWS, approved_batch, sent_batch, stopped_batch, submitted_batch

pytestmark = pytest.mark.django_db


TAMPERING = [
    "UPDATE payouts_batchrow SET amount = 900000 WHERE number = 2",
    "UPDATE payouts_batchrow SET user_id = 8 WHERE number = 2",
    "UPDATE payouts_batchrow SET comment = 'x' WHERE number = 2",
    "UPDATE payouts_batchrow a SET recipient = b.recipient FROM payouts_batchrow b"
    " WHERE a.number = 2 AND b.number = 3",
    "UPDATE payouts_batchrow SET is_valid = true, user_id = 1, amount = 5, currency = 'RUB', errors = '[]',"
    " recipient_index = 'x' WHERE number = 4",
    "DELETE FROM payouts_batchrow WHERE number = 2",
]


@pytest.mark.parametrize("change", TAMPERING)
def test_a_row_that_was_changed_by_hand_is_not_approved(change: str, checker: User) -> None:
    batch = sent_batch(*BATCH_ROWS)
    by_hand(change)

    with pytest.raises(BatchAlteredError):
        decide.approve(batch.pk, by=checker, revision=batch.revision)

    assert Batch.objects.get().approved_at is None


@pytest.mark.parametrize("change", TAMPERING)
def test_of_a_batch_that_was_changed_after_its_approval_nothing_is_paid(change: str) -> None:
    batch = approved_batch(*BATCH_ROWS)
    by_hand(change)

    assert submit.run(batch.pk)
    assert submit.run(batch.pk)

    batch.refresh_from_db()
    assert batch.state == BatchState.ALTERED
    assert not Payout.objects.exists()


def test_an_approval_that_was_written_by_hand_pays_nothing(checker: User) -> None:
    batch = sent_batch()
    by_hand("UPDATE payouts_batch SET approved_by_id = %s, approved_at = now()", checker.pk)

    submit.run(batch.pk)

    assert Batch.objects.get().state == BatchState.ALTERED
    assert not Payout.objects.exists()


def test_payouts_of_a_batch_hold_the_audit_to_their_own_seals(operator: User) -> None:
    submitted_batch(by=operator)
    payout = Payout.objects.get()
    with transaction.atomic():
        by_hand("UPDATE payouts_payout SET user_id = 8")

    assert "row_sealed" in audit_of(payout)


def test_a_stop_that_was_taken_back_by_hand_lets_nothing_be_paid() -> None:
    batch = stopped_batch(*BATCH_ROWS)
    by_hand("UPDATE payouts_batch SET stopped_at = NULL, stopped_by_id = NULL, stop_reason = ''")

    submit.run(batch.pk)

    batch.refresh_from_db()
    assert batch.state == BatchState.ALTERED
    assert not Payout.objects.exists()
