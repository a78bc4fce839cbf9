"""The queue in our database: a ring is committed with the payout that it is for, and dropped with it.

An idle cluster looks every few seconds, and listens in between: the database tells of a task (migration 0056). Behind
a pooler nobody can listen, so there it looks often.
"""

import time
from datetime import timedelta
from time import sleep
from typing import cast

import psycopg
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections
from django.db.models.functions import Now
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.models import OrmQ

from payouts.worker import broker
from payouts.worker.broker import Supervised, Taken

CHANNEL = "payouts_queue"
# How often an idle cluster looks. It is told of a task, but for one whose cluster died, which is free again in time.
IDLE_SECONDS = 5.0
# The same where it may not be told: behind a pooler, and for a while after a task. Nobody tells of a task that is
# queued while another one waits, and such a task may be committed after the other one was taken.
POLLED_SECONDS = 0.2
BUSY_SECONDS = 1.0


class DatabaseQueue(Supervised, ORM):  # type: ignore[misc]  # django-q2 has no types
    AWAY = (DatabaseError,)

    _busy_until = 0.0
    _listens: psycopg.Connection | None = None

    def enqueue(self, task: str) -> int:
        """Put the task into the queue in the present transaction, free at once by the database's clock."""
        return int(OrmQ.objects.using(Conf.ORM).create(key=self.list_key, payload=task, lock=Now()).pk)

    def take(self, queues: list[str]) -> tuple[Taken, str] | None:
        queued = OrmQ.objects.using(Conf.ORM)
        # The name of the queue of files begins with the shared one's, so it comes last.
        for task in queued.filter(key__in=queues, lock__lte=Now()).order_by("key", "pk")[:1]:
            if queued.filter(pk=task.pk, lock=task.lock).update(lock=Now() + timedelta(seconds=Conf.RETRY)):
                self._busy_until = time.monotonic() + BUSY_SECONDS
                return Taken(task.key, task.pk), task.payload
        return None

    def remove(self, taken: Taken) -> None:
        self.delete(taken.handle)

    def queue_size(self) -> int:
        return int(OrmQ.objects.using(Conf.ORM).filter(key=self.list_key, lock__lte=Now()).count())

    def lock_size(self) -> int:
        return int(OrmQ.objects.using(Conf.ORM).filter(key=self.list_key, lock__gt=Now()).count())

    def reset(self) -> None:
        connections.close_all()

    def wait(self, queues: list[str]) -> None:
        if broker.progress is None:
            sleep(Conf.POLL)
        elif not broker.progress.is_idle:
            broker.progress.wait(Conf.POLL)
        elif settings.DATABASE_POOLER:
            broker.progress.wait(POLLED_SECONDS)
        elif time.monotonic() < self._busy_until:
            self._listen(broker.progress, queues, POLLED_SECONDS)
        else:
            close_old_connections()
            self._listen(broker.progress, queues, IDLE_SECONDS)

    def _listen(self, progress: broker.Progress, queues: list[str], seconds: float) -> None:
        """Until one of the queues is given a task, the cluster is handed one, or the time is up.

        On a new connection it only begins to listen: nobody has told it of what came before.
        """
        connection = connections[Conf.ORM]
        with connection.wrap_database_errors:
            connection.ensure_connection()
            session = cast(psycopg.Connection, connection.connection)
            if self._listens is not session:
                session.execute(f"LISTEN {CHANNEL}")
                self._listens = session
                return
            until = time.monotonic() + seconds
            while (left := until - time.monotonic()) > 0:
                if any(each.payload in queues for each in session.notifies(timeout=0)):
                    return
                if progress.wait(left, session.fileno()):
                    return
