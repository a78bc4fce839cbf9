"""Who decides on a batch, and when nobody does."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from payouts.actions import FourEyesError, NotFoundError, PayoutError
from payouts.batches import decide, submit
from payouts.batches.errors import BatchError, BatchVersionError
from payouts.models import UNDECIDED, Batch, BatchState
from tests import recipes
from tests.payouts.actions.test_races import at_once
from tests.payouts.observe import queued
from tests.recipes import BATCH_ROW, approved_batch, checked_batch, sent_batch, submitted_batch

pytestmark = pytest.mark.django_db


def test_only_the_uploader_sends_or_discards(operator: User, checker: User) -> None:
    batch = checked_batch(by=operator)

    with pytest.raises(FourEyesError, match="Only operator"):
        decide.send(batch.pk, by=checker, revision=batch.revision)
    with pytest.raises(FourEyesError, match="Only operator"):
        decide.discard(batch.pk, by=checker, revision=batch.revision)

    batch.refresh_from_db()
    assert batch.state == BatchState.PREVIEW


def test_errors_are_left_out_only_when_the_uploader_says_so(operator: User) -> None:
    batch = checked_batch(BATCH_ROW, "7;x;RUB;card;1;;;", by=operator)

    with pytest.raises(BatchError, match="left out"):
        decide.send(batch.pk, by=operator, revision=batch.revision)
    sent = decide.send(batch.pk, by=operator, leaves_errors_out=True, note="May", revision=batch.revision)

    assert (sent.state, sent.sent_note) == (BatchState.AWAITING_APPROVAL, "May")


def test_a_batch_without_a_valid_row_cannot_be_sent(operator: User) -> None:
    batch = checked_batch("7;x;RUB;card;1;;;", by=operator)

    with pytest.raises(BatchError, match="nothing to send"):
        decide.send(batch.pk, by=operator, leaves_errors_out=True, revision=batch.revision)

    assert Batch.objects.get().sent_at is None


def test_the_uploader_does_not_approve_or_reject(operator: User) -> None:
    batch = sent_batch(by=operator)

    with pytest.raises(FourEyesError):
        decide.approve(batch.pk, by=operator, revision=batch.revision)
    with pytest.raises(FourEyesError):
        decide.reject(batch.pk, by=operator, reason="x", revision=batch.revision)

    assert Batch.objects.get().state == BatchState.AWAITING_APPROVAL
    assert queued(submit.SUBMIT.task) == []


def test_a_batch_that_changed_since_it_was_seen_is_not_decided_on(operator: User, checker: User) -> None:
    batch = sent_batch(by=operator)

    with pytest.raises(BatchVersionError):
        decide.approve(batch.pk, by=checker, revision=batch.revision - 1)

    assert Batch.objects.get().approved_at is None


def test_who_comes_second_is_told_who_was_first(operator: User, checker: User, second_checker: User) -> None:
    batch = approved_batch(by=operator, checker=checker)

    with pytest.raises(BatchError, match="already approved by checker"):
        decide.reject(batch.pk, by=second_checker, reason="x", revision=batch.revision - 1)
    with pytest.raises(BatchError, match="already approved by checker"):
        decide.discard(batch.pk, by=operator, revision=batch.revision)

    assert Batch.objects.get().state == BatchState.SUBMITTING


@pytest.mark.django_db(transaction=True)
def test_one_of_two_decisions_at_the_same_time_counts(operator: User, checker: User, second_checker: User) -> None:
    batch = sent_batch(by=operator)

    results = at_once(
        lambda: decide.approve(batch.pk, by=checker, revision=batch.revision),
        lambda: decide.reject(batch.pk, by=second_checker, reason="x", revision=batch.revision),
    )

    batch.refresh_from_db()
    assert sum(isinstance(each, PayoutError) for each in results) == 1
    assert (batch.approved_at is None) != (batch.rejected_at is None)


def test_a_rejection_needs_a_reason(checker: User) -> None:
    batch = sent_batch()

    with pytest.raises(BatchError):
        decide.reject(batch.pk, by=checker, reason=" ", revision=batch.revision)

    assert Batch.objects.get().rejected_at is None


def test_anybody_stops_an_approved_batch_with_a_reason_and_once(
    operator: User, checker: User, second_checker: User
) -> None:
    batch = approved_batch(by=operator, checker=checker)

    with pytest.raises(BatchError, match="Give a reason"):
        decide.stop(batch.pk, by=operator, reason=" ")
    stopped = decide.stop(batch.pk, by=operator, reason="Wrong file.")
    with pytest.raises(BatchError, match="already stopped by operator"):
        decide.stop(batch.pk, by=second_checker, reason="Wrong file.")

    assert (stopped.state, stopped.stopped_by, stopped.reason) == (BatchState.STOPPED, operator, "As agreed.")


@pytest.mark.parametrize("recipe", [sent_batch, checked_batch, submitted_batch])
def test_what_is_not_approved_or_is_finished_cannot_be_stopped(
    recipe: Callable[..., Batch], second_checker: User
) -> None:
    batch = recipe()

    with pytest.raises(BatchError):
        decide.stop(batch.pk, by=second_checker, reason="Wrong file.")

    assert Batch.objects.get().stopped_at is None


def test_a_closed_account_stops_nothing(second_checker: User) -> None:
    batch = approved_batch()
    second_checker.is_active = False

    with pytest.raises(FourEyesError):
        decide.stop(batch.pk, by=second_checker, reason="Wrong file.")


def test_a_batch_that_is_not_there_is_not_found(checker: User) -> None:
    with pytest.raises(NotFoundError):
        decide.approve(7, by=checker, revision=1)


def test_what_is_undecided_in_sql_is_what_has_not_ended() -> None:
    made = (
        recipes.stored_batch,
        recipes.checked_batch,
        recipes.sent_batch,
        recipes.approved_batch,
        recipes.rejected_batch,
        recipes.stopped_batch,
        recipes.submitted_batch,
    )
    for number, make in enumerate(made, start=1):
        make(f"{number};10.00;RUB;card;4111111111111111;;;")
    Batch.objects.filter(pk=recipes.checked_batch("8;10.00;RUB;card;4111111111111111;;;").pk).update(altered_at=Now())
    discarded = recipes.checked_batch("9;10.00;RUB;card;4111111111111111;;;")
    decide.discard(discarded.pk, by=discarded.uploaded_by, revision=discarded.revision)

    undecided = set(Batch.objects.filter(UNDECIDED))
    open_states = {BatchState.CHECKING, BatchState.PREVIEW, BatchState.AWAITING_APPROVAL, BatchState.SUBMITTING}

    assert undecided == {batch for batch in Batch.objects.all() if batch.state in open_states}
    assert len({batch.state for batch in Batch.objects.all()}) == len(BatchState) - 1  # no file was refused
