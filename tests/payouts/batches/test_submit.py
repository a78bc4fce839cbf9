"""Each approved row becomes one payout, once, whatever becomes of the worker."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from payouts.batches import columns, decide, submit
from payouts.models import Approval, Batch, BatchRow, BatchState, ConfigurationAlteredError, Event, Payout
from payouts.models.sealed_sets import forget
from tests import recipes
from tests.payouts.actions.test_races import at_once
from tests.payouts.observe import by_hand, is_clean
from tests.recipes import (
    BATCH_ROW,
    BATCH_ROWS,
    approved_batch,
    sent_batch,
    stored_batch,
    submitted_batch,
)

pytestmark = pytest.mark.django_db


def test_each_valid_row_becomes_a_payout_of_the_uploader_approved_by_the_approver(
    operator: User, checker: User
) -> None:
    batch = submitted_batch(*BATCH_ROWS, by=operator, checker=checker)

    first, second, wrong = batch.rows.order_by("number")
    assert batch.state == BatchState.SUBMITTED
    assert wrong.payout is None
    for row in (first, second):
        payout = row.payout
        assert payout is not None
        assert (payout.user_id, payout.amount, payout.maker, payout.client) == (
            row.user_id,
            row.amount,
            operator,
            None,
        )
        assert payout.recipient_details == row.recipient_details
        assert (payout.approvals_given, payout.approvals_required, payout.stage) == (1, 1, "ready")
        events = list(payout.events.order_by("seq").values_list("event", "actor", "reason"))
        assert events == [("submitted", "user:operator", ""), ("approved", "user:checker", "batch march.csv")]
        assert [approval.checker for approval in payout.approvals.all()] == [checker]
    assert is_clean()


def test_a_payout_that_needs_more_approvals_waits_for_them() -> None:
    batch = submitted_batch("7;2000000;RUB;card;4111111111111111;;;")

    payout = Payout.objects.get()
    assert (payout.approvals_given, payout.approvals_required, payout.stage) == (1, 2, "awaiting_approval")
    assert batch.state == BatchState.SUBMITTED


def test_a_batch_is_submitted_although_its_approvers_account_was_closed_since() -> None:
    batch = approved_batch()
    User.objects.filter(pk=batch.approved_by_id).update(is_active=False)

    submit.run(batch.pk)

    assert not BatchRow.objects.filter(batch=batch, is_valid=True, payout=None).exists()


def test_a_batch_without_its_approval_is_not_submitted() -> None:
    for batch in (stored_batch(), sent_batch(BATCH_ROW, BATCH_ROW), recipes.rejected_batch(*BATCH_ROWS)):
        assert submit.run(batch.pk)

    assert not Payout.objects.exists()


def test_a_submission_that_is_stopped_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.batches.submit.SUBMITTED_AT_ONCE", 2)
    batch = approved_batch(*recipes.batch_rows(7))

    is_done = submit.run(batch.pk, must_stop=lambda: True)
    between = Payout.objects.count()
    while not submit.run(batch.pk, must_stop=lambda: True):
        pass

    batch.refresh_from_db()
    assert (is_done, between) == (False, 2)
    assert (batch.state, Payout.objects.count(), Approval.objects.count()) == (BatchState.SUBMITTED, 7, 7)
    assert is_clean()


@pytest.mark.django_db(transaction=True)
def test_a_submission_that_dies_in_a_row_leaves_that_row_as_it_was() -> None:
    batch = approved_batch(*recipes.batch_rows(4))
    # The database breaks off when the third row gets its payout: the payout goes with it.
    by_hand(
        """
        CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'away' USING ERRCODE = 'admin_shutdown'; END $$;
        CREATE TRIGGER break_off BEFORE UPDATE ON payouts_batchrow
            FOR EACH ROW WHEN (NEW.number = 4) EXECUTE FUNCTION break_off();
        """
    )

    with pytest.raises(Exception, match="away"):
        submit.run(batch.pk)
    between = (Payout.objects.count(), batch.rows.filter(payout=None).count())
    by_hand("DROP TRIGGER break_off ON payouts_batchrow; DROP FUNCTION break_off()")
    submit.run(batch.pk)

    batch.refresh_from_db()
    assert between == (2, 2)
    assert (batch.state, Payout.objects.count()) == (BatchState.SUBMITTED, 4)
    assert is_clean()


@pytest.mark.django_db(transaction=True)
def test_submissions_at_the_same_time_pay_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payouts.batches.submit.SUBMITTED_AT_ONCE", 3)
    batch = approved_batch(*recipes.batch_rows(25))

    at_once(*[lambda: submit.run(batch.pk)] * 4)
    submit.run(batch.pk)

    batch.refresh_from_db()
    assert batch.state == BatchState.SUBMITTED
    assert Payout.objects.count() == batch.rows.filter(payout__isnull=False).count() == 25
    assert Event.objects.filter(event="approved").count() == 25
    assert is_clean()


def test_a_stopped_batch_makes_no_further_payout(
    monkeypatch: pytest.MonkeyPatch, maker: User, operator: User, checker: User
) -> None:
    monkeypatch.setattr("payouts.batches.submit.SUBMITTED_AT_ONCE", 2)
    batch = approved_batch(*recipes.batch_rows(5), by=operator, checker=checker)
    submit.run(batch.pk, must_stop=lambda: True)

    decide.stop(batch.pk, by=maker, reason="The rates are last month's.")
    is_done = submit.run(batch.pk)

    batch.refresh_from_db()
    assert is_done
    assert (batch.state, batch.finished_at, batch.is_sealed) == (BatchState.STOPPED, None, True)
    assert (batch.stopped_by, batch.stop_reason) == (maker, "The rates are last month's.")
    assert Payout.objects.count() == batch.rows.filter(payout__isnull=False).count() == 2
    assert not Batch.objects.filter(submit.SUBMIT.waiting).exists()
    assert is_clean()


@pytest.mark.django_db(transaction=True)
def test_when_a_stop_returns_no_row_is_on_its_way_any_more(maker: User) -> None:
    batch = approved_batch(*recipes.batch_rows(40))

    def stop() -> int:
        while not Payout.objects.exists():
            pass
        decide.stop(batch.pk, by=maker, reason="Wrong file.")
        return Payout.objects.count()

    *_runs, at_the_stop = at_once(*[lambda: submit.run(batch.pk)] * 2, stop)
    submit.run(batch.pk)

    batch.refresh_from_db()
    assert batch.state == BatchState.STOPPED
    assert 0 < at_the_stop < 40
    assert Payout.objects.count() == batch.rows.filter(payout__isnull=False).count() == at_the_stop
    assert is_clean()


def test_a_row_whose_record_was_wiped_is_not_paid_again() -> None:
    batch = submitted_batch(*recipes.batch_rows(3))
    by_hand("UPDATE payouts_batchrow SET payout_id = NULL")
    by_hand("UPDATE payouts_batch SET finished_at = NULL")

    submit.run(batch.pk)

    assert Payout.objects.count() == batch.rows.filter(payout__isnull=False).count() == 3
    assert Approval.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_row_that_fails_takes_no_other_with_it_and_says_why() -> None:
    batch = approved_batch(*recipes.batch_rows(3))
    by_hand("ALTER TABLE payouts_payout ADD CONSTRAINT stuck CHECK (user_id <> 2)")

    submit.run(batch.pk)
    by_hand("ALTER TABLE payouts_payout DROP CONSTRAINT stuck")

    batch.refresh_from_db()
    assert [row.refusal for row in batch.rows.order_by("number")] == [None, ["row_failed", {}], None]
    assert (batch.state, Payout.objects.count()) == (BatchState.SUBMITTED, 2)
    assert is_clean()


def test_a_recipient_that_cannot_be_decrypted_is_told_by_its_row(settings: Any) -> None:
    batch = approved_batch()
    settings.FIELD_ENCRYPTION_KEYS = ["A" * 43 + "="]

    submit.run(batch.pk)

    assert BatchRow.objects.get().refusal == ["unreadable", {}]
    assert not Payout.objects.exists()


def test_while_sql_has_changed_a_rule_the_rows_of_a_batch_wait_and_none_is_refused() -> None:
    batch = approved_batch()
    by_hand("UPDATE payouts_approvalband SET approvals_required = 0")
    forget()

    with pytest.raises(ConfigurationAlteredError):
        submit.run(batch.pk)

    assert not Payout.objects.exists()
    assert not batch.rows.filter(refusal__isnull=False).exists()


def test_a_row_that_its_account_can_pay_no_longer_is_refused_in_the_readers_language(settings: Any) -> None:
    batch = approved_batch()
    settings.PROVIDER_URL = ""
    settings.PROVIDERS = {"main": "yookassa"}

    assert submit.run(batch.pk)

    row = batch.rows.get()
    code, parameters = row.refusal
    assert row.payout is None
    assert columns.sentence(code, parameters).startswith("The account main cannot pay such a recipient.")
