"""What our brokers for django-q2 have in common: database_queue.py, redis_queue.py and sqs_queue.py are built on it.

A cluster reads the queue that all share and that of files. From the queue of files it takes one task at a time, for
which it has one worker more than Q_WORKERS: whatever is in a file, as many workers pay as before. Its supervisor
hands it a heartbeat that no other cluster can answer, and any process of it hands over a ring that did not get into
the queue. `Progress`, shared with the supervisor, counts what was taken and finished, and holds the word to take
nothing more. Outside a cluster each is an ordinary broker.
"""

import ctypes
import multiprocessing
import multiprocessing.connection
import os
import secrets
import select
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from functools import partial
from time import sleep
from typing import Any, ClassVar, NamedTuple

import structlog
from django.conf import settings
from django.db import transaction
from django_q.brokers import Broker
from django_q.conf import Conf
from django_q.tasks import async_task

from payouts.jobs import FILES

log = structlog.get_logger(__name__)

AWAY_PAUSE_SECONDS = 1.0
# So much, with its length before it, goes into a pipe whole or not at all; a task has some hundred bytes.
LONGEST_BYTES = select.PIPE_BUF - 8
BEAT = "heartbeat"
HERE = "here"


class Taken(NamedTuple):
    """By what q2 acknowledges a task."""

    queue: str
    """Its name; BEAT or HERE for a task that was handed over."""
    handle: Any
    """What the queue knows the taken task by."""


class Progress:
    """What a cluster's supervisor sees of it, in memory shared across fork; each count has one writer."""

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        # Of the processes that live and die together; a cluster that is started afresh has another.
        self.group = f"{cluster}/{secrets.token_hex(4)}"
        self._taken = multiprocessing.RawValue(ctypes.c_long, 0)
        self._finished = multiprocessing.RawValue(ctypes.c_long, 0)
        self._has_file = multiprocessing.RawValue(ctypes.c_bool, False)
        self._draining = multiprocessing.RawValue(ctypes.c_bool, False)
        self._beat_sent_at = multiprocessing.RawValue(ctypes.c_double, 0.0)
        # Two, because the one for rings may be full.
        self._pipes = {name: multiprocessing.Pipe(duplex=False) for name in (BEAT, HERE)}
        for _inbox, outbox in self._pipes.values():
            os.set_blocking(outbox.fileno(), False)

    @property
    def is_idle(self) -> bool:
        return bool(self._finished.value >= self._taken.value)

    @property
    def is_alone(self) -> bool:
        """Whether nothing is under way but the task that is just being taken."""
        return bool(self._finished.value >= self._taken.value - 1)

    @property
    def is_draining(self) -> bool:
        return bool(self._draining.value)

    def drain(self) -> None:
        self._draining.value = True

    def send_beat(self) -> None:
        """Have the sweep executed and acknowledged by this cluster."""
        self._beat_sent_at.value = time.monotonic()
        async_task("payouts.tasks.sweep", self.cluster, q_options={"broker": _Beats(self)})

    @property
    def is_beat_waiting(self) -> bool:
        return bool(self._beat_sent_at.value)

    @property
    def must_make_way(self) -> bool:
        """Whether a long task should end soon: the cluster drains, or its heartbeat waits for a free worker."""
        sent_at = self._beat_sent_at.value
        return self.is_draining or bool(sent_at and time.monotonic() - sent_at > settings.SWEEP_SECONDS)

    def open_queues(self, shared: str) -> list[str]:
        """The queues from which another task may be taken now; `shared` is the name of the one for all clusters."""
        files = 1 if self._has_file.value else 0
        others = self._taken.value - self._finished.value - files
        return [*([shared] if others < settings.Q_WORKERS else []), *([] if files else [FILES])]

    def take(self) -> None:
        self._taken.value += 1

    def untake(self) -> None:
        self._taken.value -= 1

    def begin(self, queue: str) -> None:
        if queue == FILES:
            self._has_file.value = True

    def finish(self, queue: str) -> None:
        self.end(queue)
        self._finished.value += 1

    def end(self, queue: str) -> None:
        if queue == FILES:
            self._has_file.value = False
        elif queue == BEAT:
            self._beat_sent_at.value = 0.0

    def hand_over(self, task: str, *, queue: str = HERE) -> None:
        """Give the cluster a task past all queues. Where many wait already it is dropped: the sweep rings again."""
        content = task.encode()
        if len(content) > LONGEST_BYTES:
            raise ValueError(f"A task of {len(content)} bytes is no doorbell.")
        with suppress(BlockingIOError):
            self._pipes[queue][1].send_bytes(content)

    def handed_over(self) -> tuple[Taken, str] | None:
        for queue, (inbox, _outbox) in self._pipes.items():
            if inbox.poll():
                return Taken(queue, None), inbox.recv_bytes().decode()
        return None

    def wait(self, seconds: float, *beside: int) -> bool:
        """Until a task is handed over, one of the file descriptors `beside` can be read, or the time is up.

        Returns whether a task was handed over.
        """
        inboxes = [inbox for inbox, _outbox in self._pipes.values()]
        ready = multiprocessing.connection.wait([*inboxes, *beside], seconds)
        return any(each in inboxes for each in ready)


# Set in the processes of a cluster, before they fork.
progress: Progress | None = None


def must_make_way() -> bool:
    """Whether a long task should end soon; never outside a cluster."""
    return bool(progress and progress.must_make_way)


class _Beats(Broker):  # type: ignore[misc]  # django-q2 has no types
    """Puts heartbeats into no queue, but into their cluster."""

    def __init__(self, cluster: Progress) -> None:
        super().__init__(BEAT)
        self._cluster = cluster

    def enqueue(self, task: str) -> None:
        self._cluster.hand_over(task, queue=BEAT)


class Supervised(Broker, ABC):  # type: ignore[misc]  # django-q2 has no types
    """A queue that clusters read. q2 calls `dequeue` in its pusher, and `acknowledge` in its monitor."""

    AWAY: ClassVar[tuple[type[Exception], ...]]
    """What is raised while the queue cannot be reached."""

    @abstractmethod
    def take(self, queues: list[str]) -> tuple[Taken, str] | None:
        """The oldest task that is free in one of the queues, taken for `retry` seconds."""

    @abstractmethod
    def remove(self, taken: Taken) -> None:
        """The task is finished, or can never be."""

    @abstractmethod
    def wait(self, queues: list[str]) -> None:
        """Until there may be a task, for some seconds at most; less while something is under way."""

    def reset(self) -> None:
        """After the queue was away."""

    def dequeue(self) -> list[tuple[Taken, str]] | None:
        """A task, handed over or taken from a queue; None after a pause when there is none."""
        if progress and progress.is_draining:
            sleep(Conf.POLL)
            return None
        queues = progress.open_queues(self.list_key) if progress else [self.list_key]
        try:
            found = self._next(queues)
            if found is None:
                self.wait(queues)
        except self.AWAY as error:
            # An error would end q2's pusher. The queue comes back, and the supervisor watches.
            log.warning("queue_away", reason=type(error).__name__)
            self.reset()
            _pause(AWAY_PAUSE_SECONDS)
            return None
        return [found] if found else None

    def _next(self, queues: list[str]) -> tuple[Taken, str] | None:
        if progress is None:
            return self.take(queues)
        found = None
        # Counted before it is taken: a drain must never see a moment at which a taken task is not counted.
        progress.take()
        try:
            found = progress.handed_over() or (self.take(queues) if queues else None)
        finally:
            if found is None:
                progress.untake()
        if found:
            progress.begin(found[0].queue)
        return found

    def acknowledge(self, taken: Taken) -> None:
        """Remove the finished task. One that could not be removed runs again after `retry`, which does no harm."""
        try:
            if taken.handle is not None:
                self.remove(taken)
        except self.AWAY as error:
            log.warning("task_not_acknowledged", task=str(taken.handle)[:100], reason=type(error).__name__)
            self.reset()
        if progress:
            progress.finish(taken.queue)

    def fail(self, taken: Taken) -> None:
        """It cannot be read."""
        try:
            if taken.handle is not None:
                self.remove(taken)
        except self.AWAY:
            self.reset()
        if progress:
            progress.end(taken.queue)
            progress.untake()

    def ping(self) -> bool:
        """A cluster starts while its queue is away."""
        return True

    def set_stat(self, key: str, value: str, timeout: int) -> None:
        """Nobody reads what q2 tells of itself; a heartbeat is what says that a cluster lives."""


class Outside(Supervised):
    """A queue that is not in our database: what it is given is given after the commit, and is lost when it is away.

    A lost ring costs time. The sweep, which goes through no queue, rings again for every payout and file, and a ring
    from within a cluster that does not get into the queue is heard by that cluster itself.
    """

    @abstractmethod
    def send(self, task: str) -> None:
        """Put the task into the queue."""

    def enqueue(self, task: str) -> None:
        transaction.on_commit(partial(self._send, task), using=Conf.ORM, robust=True)

    def _send(self, task: str) -> None:
        try:
            self.send(task)
        except self.AWAY as error:
            log.warning("queue_away", reason=type(error).__name__)
            self.reset()
            if progress and self.list_key != FILES:
                progress.hand_over(task)


def _pause(seconds: float) -> None:
    if progress:
        progress.wait(seconds)
    else:
        sleep(seconds)
