"""From which queues a cluster takes a task, whichever broker keeps them: files never take the place of a payment."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import boto3
import psycopg
import pytest
import redis
from django.core.signing import BadSignature
from django.db import connection, connections, transaction
from django_q.brokers import get_broker
from django_q.conf import Conf
from django_q.tasks import async_task

from payouts.batches.check import CHECK
from payouts.exports.request import WRITE
from payouts.jobs import FILES, in_queues
from payouts.statements.lines import APPLY
from payouts.worker import broker, database_queue, redis_queue, sqs_queue
from payouts.worker.broker import BEAT, HERE, Supervised, Taken
from tests import recipes
from tests.databases import application_url
from tests.payouts.worker.queues import answered, use_broker

pytestmark = pytest.mark.django_db(transaction=True)

PUMP = "payouts.tasks.pump"


@pytest.fixture(params=["orm", "redis", "sqs"])
def kind(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each broker, with nothing in its queues."""
    with use_broker(request.param, settings, monkeypatch):
        yield request.param


@pytest.fixture
def progress(kind: str, monkeypatch: pytest.MonkeyPatch, settings: Any) -> broker.Progress:
    settings.Q_WORKERS = 2
    progress = broker.Progress("one")
    monkeypatch.setattr(broker, "progress", progress)
    return progress


class Pusher:
    """Takes tasks as q2's does, and remembers them by their names."""

    def __init__(self) -> None:
        self.queue = cast(Supervised, get_broker())
        self.taken: dict[str, Taken] = {}

    def take(self) -> str:
        """The name of a task; empty where none can be taken now."""
        for taken, payload in self.queue.dequeue() or []:
            name = str(answered(payload)["name"])
            self.taken[name] = taken
            return name
        return ""

    def finish(self, name: str) -> None:
        self.queue.acknowledge(self.taken[name])


def put(*names: str, queue: str = "payouts") -> None:
    for name in names:
        async_task(PUMP, task_name=name, q_options={"broker": get_broker(queue)})


def test_work_on_files_has_a_queue_of_its_own() -> None:
    assert {job.queue for job in (APPLY, CHECK, WRITE)} == {FILES}


def test_one_file_at_a_time_is_taken_and_payments_go_on_beside_it(progress: broker.Progress) -> None:
    put("file 1", "file 2", queue=FILES)
    put("pump 1", "pump 2", "pump 3")
    pusher = Pusher()

    for _each in range(5):
        pusher.take()

    assert sorted(name.split()[0] for name in pusher.taken) == ["file", "pump", "pump"]
    assert not progress.is_idle

    pusher.finish(next(name for name in pusher.taken if name.startswith("pump")))
    assert pusher.take().startswith("pump")
    pusher.finish(next(name for name in pusher.taken if name.startswith("file")))
    assert pusher.take().startswith("file")
    assert in_queues() == (0, 5 - 2)


def test_a_heartbeat_comes_before_all_that_waits(progress: broker.Progress) -> None:
    put("file 1", "file 2", queue=FILES)
    put("pump 1", "pump 2", "pump 3")
    pusher = Pusher()
    while pusher.take():
        pass
    progress.send_beat()

    [(taken, payload)] = pusher.queue.dequeue() or []

    assert (taken, answered(payload)["func"]) == (Taken(BEAT, None), "payouts.tasks.sweep")
    assert progress.is_beat_waiting
    pusher.queue.acknowledge(taken)
    assert not progress.is_beat_waiting


def test_a_task_of_files_that_cannot_be_read_leaves_the_place_free(progress: broker.Progress) -> None:
    put("broken", "sound", queue=FILES)
    pusher = Pusher()

    first = pusher.take()
    pusher.queue.fail(pusher.taken[first])

    assert pusher.take() == ({"broken", "sound"} - {first}).pop()


def test_what_is_no_text_is_removed_and_ends_no_cluster(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can write to Redis can write that."""
    with use_broker("redis", settings, monkeypatch):
        monkeypatch.setattr(broker, "progress", broker.Progress("one"))
        queue = cast(Supervised, get_broker())
        with redis.Redis.from_url(settings.Q_REDIS_URL) as connection:
            connection.rpush(redis_queue._key(queue.list_key), b"\xff\xfe:1:2")
        queue.wait([queue.list_key])

        [(taken, payload)] = queue.dequeue() or []
        with pytest.raises(BadSignature):
            answered(payload)
        queue.fail(taken)

        assert in_queues() == (0, 0)


def test_what_is_finished_is_gone_and_what_is_not_comes_again(
    progress: broker.Progress, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pusher = Pusher()
    put("finished")
    while not pusher.taken:
        pusher.take()
    monkeypatch.setattr(Conf, "RETRY", 1)  # and not before: the first would come again while the second is taken
    put("lost")
    while len(pusher.taken) < 2:
        pusher.take()
    pusher.finish("finished")
    lost = pusher.taken.pop("lost")
    progress.finish(lost.queue)  # its worker is free, and never said that it was done
    del pusher.taken["finished"]

    while not pusher.taken:
        pusher.take()

    assert [*pusher.taken] == ["lost"]


def test_a_draining_cluster_takes_nothing(progress: broker.Progress) -> None:
    put("pump")
    progress.drain()

    assert Pusher().take() == ""
    assert progress.is_idle


def test_a_ring_that_is_rolled_back_is_never_heard(progress: broker.Progress) -> None:
    with transaction.atomic():
        put("never")
        transaction.set_rollback(True)

    assert Pusher().take() == ""


def test_a_ring_is_heard_after_the_commit_and_not_before(progress: broker.Progress, kind: str) -> None:
    pusher = Pusher()
    with transaction.atomic():
        put("pump")
        before = pusher.take() if kind != "orm" else ""  # which is in this very transaction

    assert (before, pusher.take()) == ("", "pump")


@pytest.fixture(params=["redis", "sqs"])
def away(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A broker that is not there: port 9 of this machine, where nobody listens."""
    with use_broker(request.param, settings, monkeypatch, is_away=True):
        monkeypatch.setattr(broker, "AWAY_PAUSE_SECONDS", 0.0)
        yield request.param


def test_a_payout_is_taken_while_the_queue_is_away(away: str) -> None:
    assert recipes.pending_payout().status == "pending"
    assert in_queues() is None


def test_a_cluster_hears_its_own_ring_while_the_queue_is_away(away: str, monkeypatch: pytest.MonkeyPatch) -> None:
    progress = broker.Progress("one")
    monkeypatch.setattr(broker, "progress", progress)

    put("pump")
    put("file", queue=FILES)
    pusher = Pusher()

    assert (pusher.take(), pusher.taken["pump"]) == ("pump", Taken(HERE, None))
    pusher.finish("pump")
    assert pusher.take() == ""
    assert progress.is_idle


def test_a_queue_of_sqs_that_was_removed_is_made_anew(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "AWAY_PAUSE_SECONDS", 0.0)
    with use_broker("sqs", settings, monkeypatch):
        put("lost")
        boto3.client("sqs").delete_queue(QueueUrl=sqs_queue._address("payouts"))
        put("lost too")
        put("pump")
        pusher = Pusher()

        assert [pusher.take() for _each in range(2)] == ["pump", ""]


@pytest.fixture
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pusher]:
    """The pusher of an idle cluster, which is told of a task or finds none for longer than a test may take."""
    monkeypatch.setattr(broker, "progress", broker.Progress("one"))
    monkeypatch.setattr(database_queue, "IDLE_SECONDS", 3_600.0)
    pusher = Pusher()
    assert pusher.take() == ""  # and listens from now on
    yield pusher
    connections.close_all()


def later(step: Callable[[], None]) -> threading.Thread:
    """In a thread, when the pusher probably waits; if it does not yet, it finds what is there the sooner."""

    def run() -> None:
        step()
        connections.close_all()

    thread = threading.Timer(0.3, run)
    thread.start()
    return thread


def test_an_idle_cluster_is_told_of_a_ring(listening: Pusher) -> None:
    ring = later(lambda: put("pump"))

    name = listening.take() or listening.take()  # the first ends when it is told

    assert name == "pump"
    ring.join()


def test_an_idle_cluster_is_handed_a_heartbeat_at_once(listening: Pusher) -> None:
    progress = broker.progress
    assert progress is not None
    beat = later(progress.send_beat)

    [(taken, _payload)] = listening.queue.dequeue() or listening.queue.dequeue() or []

    assert taken.queue == BEAT
    beat.join()


def test_the_database_tells_of_a_task_once_while_it_waits() -> None:
    with psycopg.connect(application_url(), autocommit=True) as session:
        session.execute(f"LISTEN {database_queue.CHANNEL}")
        put("first", "second")
        put("file", queue=FILES)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, 'end')", [database_queue.CHANNEL])

        told = []
        for each in session.notifies(timeout=60):
            told.append(each.payload)
            if each.payload == "end":
                break

    assert told == ["payouts", FILES, "end"]


def test_more_rings_than_a_cluster_can_be_handed_are_dropped_and_a_heartbeat_is_not() -> None:
    progress = broker.Progress("one")
    for _each in range(1_000):
        progress.hand_over("x" * 500)

    progress.send_beat()

    first = progress.handed_over()
    assert first is not None
    assert first[0].queue == BEAT
    assert progress.handed_over() == (Taken(HERE, None), "x" * 500)
