"""Long work: in slices of half of q2's time limit, and rung for again when its task gives no sign of life."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils.module_loading import import_string
from django_q.models import OrmQ

from payouts.batches.check import CHECK
from payouts.batches.submit import SUBMIT
from payouts.exports.request import WRITE
from payouts.jobs import Job, Stop, never, run_slice
from payouts.models import Batch
from payouts.statements.lines import APPLY
from tests.payouts.observe import queued
from tests.recipes import batch_rows, stored_batch

pytestmark = pytest.mark.django_db


def _works_until_stopped(*arguments: int, must_stop: Stop) -> bool:
    return not must_stop()


@pytest.mark.parametrize("job", [APPLY, CHECK, SUBMIT, WRITE], ids=lambda job: job.task)
def test_every_jobs_task_can_be_run(job: Job) -> None:
    assert callable(import_string(job.task))


def test_a_slice_that_came_to_its_end_is_the_last() -> None:
    run_slice(CHECK.ring, _works_until_stopped, 7, must_make_way=never)

    assert not OrmQ.objects.exists()


def test_what_a_slice_leaves_at_half_time_a_new_task_takes_up(settings: Any) -> None:
    settings.Q_TIMEOUT_SECONDS = -1

    run_slice(CHECK.ring, _works_until_stopped, 7, must_make_way=never)

    assert queued("payouts.tasks.check_batch") == [(7,)]


def test_a_slice_makes_way_before_half_time() -> None:
    run_slice(CHECK.ring, _works_until_stopped, 7, must_make_way=lambda: True)

    assert queued("payouts.tasks.check_batch") == [(7,)]


def test_a_row_that_gives_signs_is_not_rung_for_and_one_that_gives_none_is_once() -> None:
    lively, silent = stored_batch(), stored_batch(*batch_rows(2))
    OrmQ.objects.all().delete()
    Batch.objects.update(seen_at=F("seen_at") - timedelta(minutes=3))

    CHECK.give_sign(lively.pk)
    CHECK.ring_for_forgotten()
    CHECK.ring_for_forgotten()

    assert queued(CHECK.task) == [(silent.pk,)]
