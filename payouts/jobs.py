"""Work that is too long for one task: done in slices, and found again when its task is lost.

A row that such work is about keeps in `seen_at` its last sign of life: whoever asks for the work writes it and rings,
and the work writes it as it goes on. The sweep rings again for a row that waits and has given no sign.

This lies below the worker, because batches, exports and statements lie beside it: they say what their work is, and
the tasks above run it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Model, Q
from django.db.models.functions import Now
from django_q.brokers import get_broker
from django_q.tasks import async_task

# Of tasks that read files or write them: one worker of each cluster takes them, one at a time, and the others pay
# (worker/broker.py).
FILES = "payouts-files"
# A row whose task has given no sign for so long has lost it.
FORGOTTEN_AFTER = timedelta(minutes=2)

type Stop = Callable[[], bool]


def never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Job:
    """The task of this name works on the rows of `model` for which `waiting` holds."""

    task: str
    model: type[Model]
    waiting: Q
    # The task finds the rows by itself, so one ring serves all of them. Otherwise it is given a row's id.
    one_ring_for_all: bool = False
    queue: str = ""  # in place of the one that all workers share

    def ring(self, *arguments: int) -> None:
        """Enqueue the task in the present transaction."""
        options = {"broker": get_broker(self.queue)} if self.queue else {}
        async_task(self.task, *arguments, q_options=options)

    def give_sign(self, row_id: int) -> None:
        self.model._default_manager.filter(pk=row_id).update(seen_at=Now())

    def ring_for_forgotten(self) -> None:
        """Ring for each row that waits and gives no sign: its task died or was lost. A second call rings for none."""
        forgotten = self.model._default_manager.filter(self.waiting, seen_at__lt=Now() - FORGOTTEN_AFTER)
        if self.one_ring_for_all:
            with transaction.atomic():
                if forgotten.update(seen_at=Now()):
                    self.ring()
            return
        for row_id in forgotten.values_list("pk", flat=True):
            with transaction.atomic():
                if forgotten.filter(pk=row_id).update(seen_at=Now()):
                    self.ring(row_id)


def in_queues() -> tuple[int, int] | None:
    """How many tasks wait for a worker, and how many one has taken; None while the queue cannot be reached."""
    queues = [get_broker(), get_broker(FILES)]
    try:
        return sum(queue.queue_size() for queue in queues), sum(queue.lock_size() for queue in queues)
    except queues[0].AWAY:
        return None


def half_time(must_make_way: Stop) -> Stop:
    """A function that says whether half of q2's time limit is over, or the cluster needs the worker."""
    ends = time.monotonic() + settings.Q_TIMEOUT_SECONDS / 2
    return lambda: time.monotonic() > ends or must_make_way()


def run_slice(ring: Callable[..., None], work: Callable[..., bool], *arguments: int, must_make_way: Stop) -> None:
    """Let `work` go on until half of q2's time limit; if it returns False, ring for a new task to do the rest."""
    if not work(*arguments, must_stop=half_time(must_make_way)):
        ring(*arguments)
