"""Django's PostgreSQL backend with a health check that costs no round trip.

With CONN_HEALTH_CHECKS every request asks whether its kept connection still serves. Django sends a SELECT; here the
socket is asked: an idle connection on which the server has said something was closed by it, or is about to be.

A server that refuses to write, as a primary does that has become a standby, is a database that is away, like one that
does not answer: the API and the pages say 503, the worker waits, and the next request connects anew. A session that
may only read (payouts/database/replica.py) always refuses: there a write is a fault of ours.
"""

import select
import time
from types import TracebackType

from django.db import OperationalError
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property
from psycopg.errors import ReadOnlySqlTransaction

from payouts.database.replica import REPLICA


class Errors(DatabaseErrorWrapper):
    wrapper: base.DatabaseWrapper

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not isinstance(error, ReadOnlySqlTransaction) or self.wrapper.alias == REPLICA:
            super().__exit__(kind, error, traceback)
            return
        self.wrapper.errors_occurred = True
        self.wrapper.close_at = time.monotonic()  # at the end of the request, or of the task
        raise OperationalError(*error.args).with_traceback(traceback) from error


class DatabaseWrapper(base.DatabaseWrapper):
    @cached_property
    def wrap_database_errors(self) -> Errors:
        return Errors(self)

    def is_usable(self) -> bool:
        if self.connection is None or self.connection.closed:
            return False
        poll = select.poll()
        poll.register(self.connection.fileno(), select.POLLIN)
        return not poll.poll(0)
