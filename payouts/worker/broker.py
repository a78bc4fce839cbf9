"""django-q2's database broker, with what supervision needs, a private queue and a count, and with a queue for files.

Every cluster reads the shared queue and one of its own, in which its supervisor puts a heartbeat that no other
cluster can answer. From the queue of files it takes one task at a time, for which it has one worker more than
Q_WORKERS: whatever is in a file, as many workers pay as before. `Progress`, shared with the supervisor, counts what
this cluster took and finished, and holds the word to take nothing more. Outside a cluster it is an ordinary broker.
"""

import ctypes
import multiprocessing
import secrets
import time
from datetime import timedelta
from time import sleep
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connections
from django.db.models.functions import Now
from django_q.brokers.orm import ORM
from django_q.conf import Conf

from payouts.jobs import FILES

log = structlog.get_logger(__name__)

AWAY_PAUSE_SECONDS = 1.0


def private_queue(cluster: str) -> str:
    return f"{Conf.PREFIX}:{cluster}"


class Progress:
    """What a cluster's supervisor sees of it, in memory shared across fork; each count has one writer."""

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        # Of the processes that live and die together; a cluster that is started afresh has another.
        self.group = f"{cluster}/{secrets.token_hex(4)}"
        self._taken = multiprocessing.RawValue(ctypes.c_long, 0)
        self._finished = multiprocessing.RawValue(ctypes.c_long, 0)
        self._file = multiprocessing.RawValue(ctypes.c_longlong, 0)
        self._draining = multiprocessing.RawValue(ctypes.c_bool, False)
        self._beat_sent_at = multiprocessing.RawValue(ctypes.c_double, 0.0)

    @property
    def queue(self) -> str:
        return private_queue(self.cluster)

    @property
    def is_idle(self) -> bool:
        return bool(self._finished.value >= self._taken.value)

    @property
    def is_draining(self) -> bool:
        return bool(self._draining.value)

    def drain(self) -> None:
        self._draining.value = True

    def beat_sent(self) -> None:
        self._beat_sent_at.value = time.monotonic()

    def beat_answered(self) -> None:
        self._beat_sent_at.value = 0.0

    @property
    def must_make_way(self) -> bool:
        """Whether a long task should end soon: the cluster drains, or its heartbeat waits for a free worker."""
        sent_at = self._beat_sent_at.value
        return self.is_draining or bool(sent_at and time.monotonic() - sent_at > settings.SWEEP_SECONDS)

    def open_queues(self, shared: str) -> list[str]:
        """The queues from which another task may be taken now; `shared` is the name of the one for all clusters."""
        files = 1 if self._file.value else 0
        others = self._taken.value - self._finished.value - files
        return [
            self.queue,
            *([shared] if others < settings.Q_WORKERS else []),
            *([] if files else [FILES]),
        ]

    def take(self) -> None:
        self._taken.value += 1

    def untake(self) -> None:
        self._taken.value -= 1

    def finish(self, task_id: int) -> None:
        self.end_file(task_id)
        self._finished.value += 1

    def begin_file(self, task_id: int) -> None:
        self._file.value = task_id

    def end_file(self, task_id: int) -> None:
        if self._file.value == task_id:
            self._file.value = 0


# Set in the processes of a cluster, before they fork.
progress: Progress | None = None


def must_make_way() -> bool:
    """Whether a long task should end soon; never outside a cluster."""
    return bool(progress and progress.must_make_way)


class ClusterBroker(ORM):  # type: ignore[misc]  # django-q2 has no types
    def enqueue(self, task: str) -> int:
        """Put the task into the queue in the present transaction, free at once by the database's clock."""
        queued = self.get_connection().create(key=self.list_key, payload=task, lock=Now())
        return int(queued.pk)

    def dequeue(self) -> list[tuple[int, str]] | None:
        """The oldest task that is free, locked for `retry` seconds; None after a pause when there is none."""
        keys = [self.list_key]
        if progress:
            if progress.is_draining:
                sleep(Conf.POLL)
                return None
            keys = progress.open_queues(self.list_key)
            # Counted before it is taken: a drain must never see a moment at which a taken task is not counted.
            progress.take()
        try:
            if task := self._taken_from(keys):
                return [task]
        except DatabaseError:
            # An error would end q2's pusher. The database comes back, and the supervisor watches.
            log.warning("database_away")
            connections.close_all()
            sleep(AWAY_PAUSE_SECONDS)
        if progress:
            progress.untake()
        sleep(Conf.POLL)
        return None

    def _taken_from(self, keys: list[str]) -> tuple[int, str] | None:
        queue = self.get_connection()
        # The private queue's key begins with the shared one's and is longer, so the heartbeat sorts first.
        for task in queue.filter(key__in=keys, lock__lte=Now()).order_by("-key", "pk")[:1]:
            if queue.filter(pk=task.pk, lock=task.lock).update(lock=Now() + timedelta(seconds=Conf.RETRY)):
                if progress and task.key == FILES:
                    progress.begin_file(task.pk)
                return task.pk, task.payload
        return None

    def acknowledge(self, task_id: int) -> Any:
        """Delete the finished task. One that could not be deleted runs again after `retry`, which does no harm."""
        try:
            super().acknowledge(task_id)
        except DatabaseError:
            log.warning("task_not_acknowledged", task=task_id)
            connections.close_all()
        if progress:
            progress.finish(task_id)

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """Nobody reads what q2 tells of itself; a heartbeat is what says that a cluster lives."""

    def fail(self, task_id: int) -> None:
        super().fail(task_id)
        if progress:
            progress.end_file(task_id)
            progress.untake()
