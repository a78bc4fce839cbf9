"""A file that comes in: kept encrypted, and once."""

import pytest
from django.contrib.auth.models import User
from django_q.models import OrmQ

from payouts import vault
from payouts.batches import check, decide, upload
from payouts.batches.errors import BatchError
from payouts.models import Batch, BatchRow, BatchState
from tests import recipes
from tests.payouts.actions.test_races import at_once
from tests.payouts.observe import queued
from tests.recipes import approved_batch, checked_batch, stored_batch

pytestmark = pytest.mark.django_db


def test_what_is_no_table_is_refused_at_the_upload(operator: User) -> None:
    for content in (b"", b"x\0y", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        with pytest.raises(BatchError):
            upload.store(content, name="x", by=operator)

    assert not Batch.objects.exists()
    assert not OrmQ.objects.exists()


def test_the_same_file_is_taken_once_and_names_the_first(operator: User, checker: User) -> None:
    first = stored_batch(by=operator)

    with pytest.raises(BatchError, match=r"“march.csv”, uploaded by operator") as refusal:
        stored_batch(by=checker, name="again.csv")

    assert refusal.value.earlier == first
    assert (Batch.objects.count(), len(queued(check.CHECK.task))) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_the_same_file_at_the_same_time_is_taken_once(operator: User) -> None:
    results = at_once(*[lambda: stored_batch(by=operator)] * 6)

    assert sum(isinstance(each, Batch) for each in results) == 1
    assert (Batch.objects.count(), len(queued(check.CHECK.task))) == (1, 1)


def test_a_file_that_paid_nothing_may_come_again(operator: User) -> None:
    decide.discard(stored_batch(by=operator).pk, by=operator, revision=1)
    recipes.rejected_batch()

    again = checked_batch(by=operator)

    assert again.state == BatchState.PREVIEW


def test_the_file_is_encrypted_while_it_is_kept_and_then_deleted(operator: User) -> None:
    batch = stored_batch(by=operator)

    kept = bytes(Batch.objects.get().content or b"")
    check.run(batch.pk)

    assert b"4111" not in kept
    assert vault.decrypt_file(kept) == recipes.batch_csv()
    assert Batch.objects.get().content is None
    assert "1111 1111" not in str(list(BatchRow.objects.values()))


def test_a_card_number_in_a_files_name_is_masked(operator: User) -> None:
    assert stored_batch(by=operator, name="pay 4111111111111111.csv").name == "pay 411111••••••1111.csv"


def test_tasks_carry_ids_alone() -> None:
    approved_batch()

    assert [each.task["args"] for each in OrmQ.objects.all() if "batch" in each.task["func"]] == [
        (Batch.objects.get().pk,)
    ] * 2
