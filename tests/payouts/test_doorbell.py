"""The ring for the worker: coalesced where a cache is shared, never lost where it is not."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django_q.models import OrmQ

from payouts import actions, doorbell, tasks
from payouts.models import Payout
from tests import recipes
from tests.payouts.observe import rings
from tests.recipes import make_due, pending_payout, scheduled_payout


@pytest.fixture
def shared_cache(settings: Any) -> None:
    settings.REDIS_URL = settings.CACHES["default"]["LOCATION"]


@pytest.fixture
def dead_cache(settings: Any) -> Iterator[None]:
    """A Redis that is not there: port 9 of this machine, where nobody listens."""
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": settings.REDIS_URL}}
    yield
    cache.close()


def _submit_and_fail() -> None:
    with suppress(ZeroDivisionError), transaction.atomic():
        pending_payout()
        _ = 1 / 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("shared_cache")
class TestASharedCache:
    def test_rings_before_the_pump_begins_are_one(self) -> None:
        for _each in range(5):
            pending_payout()

        assert rings() == 1

    def test_a_ring_after_the_pump_began_is_another(self) -> None:
        pending_payout()
        doorbell.answered()

        pending_payout()

        assert rings() == 2

    def test_a_ring_whose_pump_began_before_the_commit_is_rung_again_after_it(self) -> None:
        pending_payout()
        with transaction.atomic():
            pending_payout()
            before = rings()
            doorbell.answered()  # the waiting pump begins, and cannot see the second payout
            between = rings()

        assert (before, between, rings()) == (1, 1, 2)

    def test_a_ring_whose_pump_still_waits_at_the_commit_is_not_rung_again(self) -> None:
        pending_payout()
        with transaction.atomic():
            pending_payout()

        assert rings() == 1

    def test_a_ring_that_nobody_heard_is_forgotten_after_a_moment(self) -> None:
        cache.set(doorbell.RUNG, 1, timeout=0.05)
        while cache.has_key(doorbell.RUNG):
            pass

        pending_payout()

        assert rings() == 1

    def test_a_roll_back_takes_the_ring_with_it_and_the_sweep_finds_the_next(self) -> None:
        _submit_and_fail()
        assert (rings(), Payout.objects.count()) == (0, 0)

        cache.delete(doorbell.RUNG)
        pending_payout()

        assert rings() == 1


@pytest.mark.django_db(transaction=True)
class TestWithoutASharedCache:
    def test_every_ring_is_a_task(self) -> None:
        for _each in range(3):
            pending_payout()

        assert rings() == 3

    def test_a_roll_back_takes_the_task_with_it(self) -> None:
        _submit_and_fail()

        assert OrmQ.objects.count() == 0

    def test_the_task_is_committed_with_the_payout_and_not_before(self) -> None:
        with transaction.atomic():
            pending_payout()
            assert rings() == 1

        assert rings() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("dead_cache")
@pytest.mark.filterwarnings("ignore")
def test_a_redis_that_is_down_costs_coalescing_and_nothing_else() -> None:
    for _each in range(2):
        with transaction.atomic():
            pending_payout()
    doorbell.answered()

    assert rings() == 2
    assert len(actions.claim(limit=10)) == 2


@pytest.mark.django_db
def test_a_task_carries_no_content() -> None:
    pending_payout()

    (task,) = OrmQ.objects.all()
    assert (task.task["func"], task.task["args"]) == ("payouts.tasks.pump", ())
    assert not task.task.get("kwargs")


@pytest.mark.django_db
def test_the_sweep_rings_for_what_a_lost_ring_left() -> None:
    payout = pending_payout()
    OrmQ.objects.all().delete()

    tasks.sweep()

    assert rings() == 1
    assert actions.claim(limit=10)[0].payout_id == payout.pk


@pytest.mark.django_db
def test_the_sweep_rings_for_an_expired_lease_and_a_look_up_that_comes_up() -> None:
    for recipe in (recipes.processing_payout, recipes.unknown_payout):
        payout = recipe()
        OrmQ.objects.all().delete()
        tasks.sweep()
        quiet = rings()
        make_due(payout)

        tasks.sweep()

        assert (quiet, rings()) == (0, 1)
        actions.claim(limit=10)


@pytest.mark.django_db
def test_the_sweep_rings_for_a_scheduled_payout_when_its_time_comes() -> None:
    payout = scheduled_payout()
    OrmQ.objects.all().delete()
    tasks.sweep()
    before = rings()
    recipes.make_due(payout)

    tasks.sweep()

    assert (before, rings()) == (0, 1)


@pytest.mark.django_db
@pytest.mark.parametrize("recipe", ["awaiting", "held", "scheduled", "processing", "processed", "failed", "unknown"])
def test_the_sweep_is_quiet_when_nothing_is_due(recipe: str) -> None:
    recipes.PAYOUTS[recipe]()
    OrmQ.objects.all().delete()

    tasks.sweep()

    assert rings() == 0
