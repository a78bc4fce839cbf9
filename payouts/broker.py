"""django-q2's database broker, with the two things that supervision needs: a private queue, and a count.

Every cluster reads the shared queue and one of its own, in which its supervisor puts a heartbeat that no other
cluster can answer. `Progress`, shared with the supervisor, counts what this cluster took and finished, and holds
the word to take nothing more. Outside a cluster it is an ordinary broker.
"""

import ctypes
import multiprocessing
from time import sleep
from typing import Any

from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf


class Progress:
    """What a cluster's supervisor sees of it, in memory shared across fork; each count has one writer."""

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        self._taken = multiprocessing.RawValue(ctypes.c_long, 0)
        self._finished = multiprocessing.RawValue(ctypes.c_long, 0)
        self._draining = multiprocessing.RawValue(ctypes.c_bool, False)

    @property
    def queue(self) -> str:
        return f"{Conf.PREFIX}:{self.cluster}"

    @property
    def is_idle(self) -> bool:
        return bool(self._finished.value >= self._taken.value)

    @property
    def is_draining(self) -> bool:
        return bool(self._draining.value)

    def drain(self) -> None:
        self._draining.value = True

    def take(self) -> None:
        self._taken.value += 1

    def untake(self) -> None:
        self._taken.value -= 1

    def finish(self) -> None:
        self._finished.value += 1


# Set in the processes of a cluster, before they fork.
progress: Progress | None = None


class ClusterBroker(ORM):  # type: ignore[misc]  # django-q2 has no types
    def dequeue(self) -> list[tuple[int, str]] | None:
        """The oldest task that is free, locked for `retry` seconds; None after a pause when there is none."""
        keys = [self.list_key]
        if progress:
            if progress.is_draining:
                sleep(Conf.POLL)
                return None
            keys.append(progress.queue)
            # Counted before it is taken: a drain must never see a moment at which a taken task is not counted.
            progress.take()
        queue = self.get_connection()
        free = queue.filter(key__in=keys, lock__lte=timezone.now()).order_by("pk")
        for task in free[:1]:
            if queue.filter(pk=task.pk, lock=task.lock).update(lock=self.timeout(task)):
                return [(task.pk, task.payload)]
        if progress:
            progress.untake()
        sleep(Conf.POLL)
        return None

    def acknowledge(self, task_id: int) -> Any:
        super().acknowledge(task_id)
        if progress:
            progress.finish()

    def fail(self, task_id: int) -> None:
        super().fail(task_id)
        if progress:
            progress.untake()
