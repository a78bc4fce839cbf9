"""From which queues a cluster takes a task: files never take the place of a payment."""

from typing import Any

import pytest
from django_q.brokers import get_broker
from django_q.tasks import async_task

from payouts.batches.check import CHECK
from payouts.exports.request import WRITE
from payouts.jobs import FILES
from payouts.statements.lines import APPLY
from payouts.worker import broker

pytestmark = pytest.mark.django_db

PUMP = "payouts.tasks.pump"


@pytest.fixture
def progress(monkeypatch: pytest.MonkeyPatch, settings: Any) -> broker.Progress:
    settings.Q_WORKERS = 2
    progress = broker.Progress("one")
    monkeypatch.setattr(broker, "progress", progress)
    return progress


def taken() -> list[int]:
    found = get_broker().dequeue()
    return [number for number, _payload in found or []]


def queue(count: int, *, name: str) -> list[int]:
    return [async_task(PUMP, q_options={"broker": get_broker(name)}) and _newest() for _each in range(count)]


def _newest() -> int:
    return int(get_broker().get_connection().latest("pk").pk)


def test_work_on_files_has_a_queue_of_its_own() -> None:
    assert {job.queue for job in (APPLY, CHECK, WRITE)} == {FILES}


def test_one_file_at_a_time_is_taken_and_payments_go_on_beside_it(progress: broker.Progress) -> None:
    files = queue(3, name=FILES)
    pumps = queue(3, name="payouts")

    first = [taken() for _each in range(5)]

    assert [each for one in first for each in one] == [files[0], pumps[0], pumps[1]]
    assert not progress.is_idle

    get_broker().acknowledge(pumps[0])
    assert taken() == [pumps[2]]
    get_broker().acknowledge(files[0])
    assert taken() == [files[1]]


def test_a_file_that_waits_does_not_keep_a_heartbeat_waiting(progress: broker.Progress) -> None:
    queue(3, name=FILES)
    queue(3, name="payouts")
    while taken():
        pass
    (beat,) = queue(1, name=progress.queue)

    assert taken() == [beat]


def test_a_task_of_files_that_cannot_be_read_leaves_the_place_free(progress: broker.Progress) -> None:
    broken, sound = queue(2, name=FILES)

    assert taken() == [broken]
    get_broker().fail(broken)

    assert taken() == [sound]
